/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apistream - a hijacked connection and a process of an instance, joined; and the meeting of those
 * who attach to an instance that does not run yet with the one who starts it.
 *
 * Docker's clients attach, then start.  Whoever attaches waits at a socket below the run root; the
 * start goes there and asks the waiting process to do it, so that its connection to the monitor has
 * the output from the first byte.
 */
#ifndef API_APISTREAM_H
#define API_APISTREAM_H

#include "engine/conn.h"
#include "engine/detachkeys.h"

#include <stdbool.h>

struct apifollow;
struct apiweb;
struct err;
struct exchange;
struct instance;
struct session;

struct apistream {
	struct conn *conn;
	uint32_t stream;
	bool in, out, err, raw; /* raw: a terminal, one stream without frames */
	bool logs;		/* what was written before comes first */
	bool stay; /* go on until the process ends when the client has gone, for its code */
	struct apiweb *web; /* the client is there by WebSocket, and has one stream without frames
			     * also of what has no terminal; NULL: by the connection itself */
	struct detachkeys keys; /* in what a terminal's client types; they end its stream */
	int client;		/* borrowed */
	const char *early;	/* what came with the request */
	size_t early_len;
	/* The answer to START or EXEC is still to come: on this stream, and to this function, which
	 * is told once (why->kind ERR_NONE: it runs). */
	void (*started)(struct apistream *p, const struct err *why);
	uint32_t started_stream;
	int reply; /* for started() */
	int sizes; /* accepts connections that say 4 bytes of size; -1: none */

	/* Of the first who waits for a start: where others meet it, and those who have. */
	struct apifollow *others;
	int meet, meet_dir;
	const char *meet_name;

	/* private */
	bool in_open, exited, gone, head_taken;
	size_t window;
	int status;
};

/* Until the process ends (1, .status as wait(2) gives it) or the client has gone or detached (0).
 */
int apistream_pump(struct apistream *p, struct err *e);

/* Start, through whoever waits attached. */
int apistream_start(struct session *s, const struct instance *i, struct err *e);

/* The directory of sockets and execs below the run root. */
int apistream_dir(struct session *s, struct err *e);
void apistream_size(unsigned char out[4], unsigned int rows, unsigned int columns);
/* NULL, "": docker's own.  ERR_USAGE. */
int apistream_keys(struct apistream *p, const char *said, struct err *e);
/* Answer a request with the connection itself, or the WebSocket that it becomes. */
int apistream_hijack(struct exchange *x, struct apistream *p, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange - one request and its answer, inside a connection's process.
 *
 * An answer is one of: exchange_send (whole), exchange_send_file, exchange_begin + exchange_write
 * (a stream of unknown length), exchange_hijack (the connection itself).  Fields for it are set
 * before with exchange_field.  Answers to HEAD have no body, whatever is given.
 * Errors: ERR_CANCELED the client went away, ERR_TIMEOUT it stalled, ERR_USAGE and ERR_LIMIT its
 * body is malformed or too long.
 */
#ifndef HTTPD_EXCHANGE_H
#define HTTPD_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "fmt/http_chunk.h"
#include "fmt/http_request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define EXCHANGE_ROOM (128u << 10) /* bytes read ahead of the client */

struct exchange {
	struct http_request request;
	struct arena arena; /* freed after the answer */

	/* private */
	int fd;
	int stall_ms; /* -1: for ever */
	char *in;     /* EXCHANGE_ROOM bytes, of which [at, end) are not used yet */
	size_t at, end;
	uint64_t left; /* of a body of known length */
	struct http_chunk chunk;
	struct buf fields;
	int status; /* of the answer, 0: none yet */
	bool continued, bodiless, chunked, whole, hijacked, broken, piped;
};

/* ---- the request's body ---- */

/* The next bytes, 0 at the end. */
ssize_t exchange_read(struct exchange *x, void *data, size_t len, struct err *e);
/* All that is left, at most out->max bytes (ERR_LIMIT). */
int exchange_slurp(struct exchange *x, struct buf *out, struct err *e);
bool exchange_body_read(const struct exchange *x);
/* The rest of the body as a pipe, for what reads descriptors: a process of its own fills it, and
 * the connection takes no other request.  Returns the read end.  When that has been read, or not,
 * and is closed: exchange_body_wait(), which tells whether all of the body came (ERR_CANCELED). */
int exchange_body_pipe(struct exchange *x, pid_t *feeder, struct err *e);
int exchange_body_wait(pid_t feeder, struct err *e);

/* ---- the answer ---- */

/* "Name: value"; control characters in the value become '?'. */
__attribute__((format(printf, 3, 4))) void exchange_field(struct exchange *x, const char *name,
							  const char *fmt, ...);
/* type NULL: no Content-Type.  For 204 and 304 nothing may be given. */
int exchange_send(struct exchange *x, int status, const char *type, const void *data, size_t len,
		  struct err *e);
/* len bytes of a regular file from offset on. */
int exchange_send_file(struct exchange *x, int status, const char *type, int file, uint64_t offset,
		       uint64_t len, struct err *e);
/* Head only, as to HEAD: what a body would have had. */
int exchange_send_head(struct exchange *x, int status, const char *type, uint64_t len,
		       struct err *e);

/* A stream: in chunks, or for HTTP/1.0 to the end of the connection.  Each write goes out at once.
 * The handler's good return ends it. */
int exchange_begin(struct exchange *x, int status, const char *type, struct err *e);
int exchange_write(struct exchange *x, const void *data, size_t len, struct err *e);
bool exchange_begun(const struct exchange *x);

/* The connection becomes a plain two-way stream: 101 if the client asked for an upgrade, else 200.
 * Returns its descriptor (borrowed, blocking), and in *early what the client sent beyond its
 * request, which comes before what is read from it.  The connection ends with the handler. */
struct exchange_early {
	const char *p;
	size_t len;
};
int exchange_hijack(struct exchange *x, const char *type, struct exchange_early *early,
		    struct err *e);

/* To poll for POLLRDHUP while the handler waits for something else. */
int exchange_fd(const struct exchange *x);

#endif

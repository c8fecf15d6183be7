/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - the client's side of the connection to a monitor (docs/protocols/control.md).
 */
#ifndef ENGINE_CONN_H
#define ENGINE_CONN_H

#include "spec/control.h"
#include "spec/wire.h"

struct err;
struct session;

struct conn {
	int fd; /* blocking */
	struct wire_reader reader;
};
#define CONN_INIT ((struct conn){.fd = -1})

/* Connect to the monitor of a running instance and say HELLO.  ERR_CONFLICT: it is not running. */
int conn_open(struct session *s, const char *id, struct conn *c, struct err *e);
void conn_close(struct conn *c);
#define auto_conn __attribute__((cleanup(conn_close)))

int conn_send(struct conn *c, enum wire_type type, uint32_t stream, const void *data, size_t len,
	      struct err *e);
/* Send a struct as JSON. */
int conn_send_json(struct conn *c, enum wire_type type, uint32_t stream, const struct jbind *t,
		   const void *in, struct err *e);
int conn_hello(struct conn *c, struct err *e);

/* The next frame; ERR frames of the given stream become errors; others are the caller's.
 * ERR_SYSTEM "the monitor ended" at the end of the stream. */
int conn_next(struct conn *c, struct wire_frame *f, struct err *e);

/* For who polls many descriptors: take what one read(2) brings; wire_next() gives its frames.
 * ERR_SYSTEM at the end of the stream. */
int conn_read(struct conn *c, struct err *e);

/* Wait for the answer on a stream: a frame of type want, or ERR (which is returned).  Frames of
 * other types and streams are dropped. */
int conn_answer(struct conn *c, uint32_t stream, enum wire_type want, struct wire_frame *f,
		struct err *e);

/* Requests about the main process, each on a connection of its own.  SIGKILL returns when the
 * process has ended, as dockerd's does, so that a removal may follow: ERR_TIMEOUT after 10 s. */
int conn_signal(struct session *s, const char *id, int sig, struct err *e);
/* Returns when it has ended. */
int conn_stop(struct session *s, const char *id, const struct control_stop *how, struct err *e);
/* *status as wait(2) gives it. */
int conn_wait(struct session *s, const char *id, int *status, struct err *e);
int conn_simple(struct session *s, const char *id, enum wire_type type, struct err *e);

/* STATS, TOP, UPDATE: the answer's JSON in *text, in a ("" when there is none).  A monitor or guest
 * that does not answer within timeout_ms is ERR_TIMEOUT. */
struct arena;
struct conn_question {
	enum wire_type type;
	const char *json; /* NULL: none */
	int timeout_ms;
};
int conn_ask(struct session *s, const char *id, const struct conn_question *q, struct arena *a,
	     const char **text, struct err *e);

/* 128 + n or the code itself. */
int conn_code(int status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/conn.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/session.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_WAIT 10 /* seconds, as dockerd */

int conn_send(struct conn *c, enum wire_type type, uint32_t stream, const void *data, size_t len,
	      struct err *e)
{
	return wire_send(c->fd, type, stream, data, len, e);
}

int conn_send_json(struct conn *c, enum wire_type type, uint32_t stream, const struct jbind *t,
		   const void *in, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(WIRE_PAYLOAD_MAX);
	int r;

	jbind_write(t, in, &b);
	r = buf_fail(&b, "request", e);
	return r < 0 ? r : conn_send(c, type, stream, b.p, b.len, e);
}

int conn_hello(struct conn *c, struct err *e)
{
	struct control_hello h = {.version = CONTROL_VERSION, .program = "caisson"};

	return conn_send_json(c, WIRE_HELLO, 0, &control_hello_table, &h, e);
}

int conn_open(struct session *s, const char *id, struct conn *c, struct err *e)
{
	struct store *store;
	char name[96];
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "instances/%.64s/ctl", id);
	r = sock_connect(store_run_fd(store), name);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(e, ERR_CONFLICT, "instance %.12s is not running", id);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "connect to the monitor of %.12s", id);
	}
	*c = (struct conn){.fd = r};
	r = conn_hello(c, e);
	if (r < 0)
		conn_close(c);
	return r;
}

void conn_close(struct conn *c)
{
	fd_close(c->fd);
	wire_reader_done(&c->reader);
	*c = CONN_INIT;
}

int conn_next(struct conn *c, struct wire_frame *f, struct err *e)
{
	int r = wire_recv(c->fd, &c->reader, f, e);

	return r == 0 ? err_set(e, ERR_SYSTEM, "the monitor ended") : r;
}

int conn_read(struct conn *c, struct err *e)
{
	size_t room;
	unsigned char *at = wire_room(&c->reader, &room);
	ssize_t n = read(c->fd, at, room);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return err_set(e, ERR_SYSTEM, "the monitor of the instance ended");
	wire_fed(&c->reader, (size_t)n);
	return 0;
}

int conn_answer(struct conn *c, uint32_t stream, enum wire_type want, struct wire_frame *f,
		struct err *e)
{
	for (;;) {
		int r = conn_next(c, f, e);

		if (r < 0)
			return r;
		/* An error of the session (a bad HELLO) answers everything. */
		if (f->type == WIRE_ERR && (f->stream == stream || f->stream == 0))
			return wire_err(f, e);
		if (f->type == want && f->stream == stream)
			return 0;
	}
}

/* The answer to SIGNAL and, where it was asked for, the end of the process: in either order. */
static int delivered(struct conn *c, bool end, struct err *e)
{
	struct wire_frame f;
	bool told = false;

	while (!told || end) {
		int r = conn_next(c, &f, e);

		if (r < 0)
			return r;
		if (f.type == WIRE_ERR)
			return wire_err(&f, e);
		told |= f.type == WIRE_OK && f.stream == 0;
		end &= f.type != WIRE_EXIT;
	}
	return 0;
}

int conn_signal(struct session *s, const char *id, int sig, struct err *e)
{
	struct timeval limit = {.tv_sec = KILL_WAIT};
	auto_conn struct conn c = CONN_INIT;
	uint32_t n = htole32((uint32_t)sig);
	bool end = sig == SIGKILL;
	int r = conn_open(s, id, &c, e);

	if (r == 0 && end && setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, "control connection");
	if (r == 0 && end)
		r = conn_send(&c, WIRE_WAIT, 1, NULL, 0, e);
	if (r == 0)
		r = conn_send(&c, WIRE_SIGNAL, 0, &n, sizeof(n), e);
	if (r == 0)
		r = delivered(&c, end, e);
	if (r == -EAGAIN) {
		*e = ERR_INIT;
		return err_set(e, ERR_TIMEOUT, "instance %.12s did not end within %d s of SIGKILL",
			       id, KILL_WAIT);
	}
	return r;
}

static int get_status(const struct wire_frame *f, int *status, struct err *e)
{
	uint32_t v;

	if (f->len != sizeof(v))
		return err_set(e, ERR_CORRUPT, "the monitor sent a malformed exit status");
	memcpy(&v, f->data, sizeof(v));
	*status = (int)le32toh(v);
	return 0;
}

int conn_stop(struct session *s, const char *id, const struct control_stop *how, struct err *e)
{
	auto_conn struct conn c = CONN_INIT;
	struct wire_frame f;
	int r = conn_open(s, id, &c, e);

	if (r == 0)
		r = conn_send_json(&c, WIRE_STOP, 1, &control_stop_table, how, e);
	return r < 0 ? r : conn_answer(&c, 1, WIRE_EXIT, &f, e);
}

int conn_wait(struct session *s, const char *id, int *status, struct err *e)
{
	auto_conn struct conn c = CONN_INIT;
	struct wire_frame f;
	int r = conn_open(s, id, &c, e);

	if (r == 0)
		r = conn_send(&c, WIRE_WAIT, 1, NULL, 0, e);
	if (r == 0)
		r = conn_answer(&c, 1, WIRE_EXIT, &f, e);
	return r < 0 ? r : get_status(&f, status, e);
}

int conn_simple(struct session *s, const char *id, enum wire_type type, struct err *e)
{
	auto_conn struct conn c = CONN_INIT;
	struct wire_frame f;
	int r = conn_open(s, id, &c, e);

	if (r == 0)
		r = conn_send(&c, type, 0, NULL, 0, e);
	return r < 0 ? r : conn_answer(&c, 0, WIRE_OK, &f, e);
}

int conn_ask(struct session *s, const char *id, const struct conn_question *q, struct arena *a,
	     const char **text, struct err *e)
{
	struct timeval t = {q->timeout_ms / 1000, q->timeout_ms % 1000 * 1000};
	auto_conn struct conn c = CONN_INIT;
	union {
		const unsigned char *in;
		const char *out;
	} u;
	struct wire_frame f;
	int r = conn_open(s, id, &c, e);

	if (r < 0)
		return r;
	if (setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0)
		return err_sys(e, "control connection");
	r = conn_send(&c, q->type, 1, q->json, q->json ? strlen(q->json) : 0, e);
	if (r == 0)
		r = conn_answer(&c, 1, WIRE_OK, &f, e);
	if (r == -EAGAIN) {
		*e = ERR_INIT;
		return err_set(e, ERR_TIMEOUT, "instance %.12s does not answer", id);
	}
	if (r < 0)
		return r;
	u.in = f.data;
	*text = arena_dupn(a, f.len ? u.out : "", f.len);
	return 0;
}

int conn_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

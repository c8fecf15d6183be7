/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/vmfiles.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/exec.h"
#include "spec/wire.h"
#include "sys/fd.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (64u << 10)

struct pump {
	const struct vmfiles *v;
	struct conn conn;
	size_t window; /* bytes we may still send */
	bool in_open, over;
	uint32_t status;
	unsigned char said[sizeof(struct err)]; /* on its stderr */
	size_t said_len;
	unsigned char *chunk;
	uint64_t got;
	int failed; /* of our own end: told when the guest has ended */
	struct err why;
};

static int take_output(struct pump *p, const struct wire_frame *f)
{
	int r;

	if (p->v->answer) {
		buf_add(p->v->answer, f->data, f->len);
		return 0;
	}
	if (p->v->out < 0 || p->failed)
		return 0;
	p->got += f->len;
	if (p->v->max && p->got > p->v->max)
		return p->failed = err_set(&p->why, ERR_LIMIT, "an archive of more than %llu bytes",
					   (unsigned long long)p->v->max);
	r = fd_write_all(p->v->out, f->data, f->len);
	if (r < 0) {
		errno = -r;
		p->failed = err_sys(&p->why, "write the archive");
	}
	return p->failed;
}

static int take(struct pump *p, const struct wire_frame *f, struct err *e)
{
	uint32_t n = 0;

	if (f->stream != EXEC_STREAM)
		return 0;
	if (f->len == sizeof(n))
		memcpy(&n, f->data, sizeof(n));
	switch (f->type) {
	case WIRE_STDOUT:
		/* Nobody is left to read it: the connection's end ends the guest's work, too. */
		return take_output(p, f) < 0 ? -EPIPE : 0;
	case WIRE_STDERR:
		for (size_t i = 0; i < f->len && p->said_len < sizeof(p->said); i++)
			p->said[p->said_len++] = f->data[i];
		return 0;
	case WIRE_WINDOW:
		p->window += le32toh(n);
		return 0;
	case WIRE_EXIT:
		p->status = le32toh(n);
		p->over = true;
		return 0;
	case WIRE_ERR:
		return wire_err(f, e);
	default:
		return 0;
	}
}

static int receive(struct pump *p, struct err *e)
{
	struct wire_frame f;
	size_t room;
	unsigned char *b = wire_room(&p->conn.reader, &room);
	ssize_t n = read(p->conn.fd, b, room);
	int r;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return n < 0 ? err_sys(e, "monitor") : err_set(e, ERR_SYSTEM, "the monitor ended");
	wire_fed(&p->conn.reader, (size_t)n);
	while (!p->over && (r = wire_next(&p->conn.reader, &f, e)) != 0) {
		if (r > 0)
			r = take(p, &f, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int send_more(struct pump *p, struct err *e)
{
	ssize_t n = read(p->v->in, p->chunk, p->window < CHUNK ? p->window : CHUNK);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return err_sys(e, "read the archive");
	p->window -= (size_t)n;
	p->in_open = n > 0;
	return conn_send(&p->conn, WIRE_STDIN, EXEC_STREAM, p->chunk, (size_t)n, e);
}

static int loop(struct pump *p, struct err *e)
{
	int r = 0;

	while (r >= 0 && !p->over) {
		struct pollfd f[2] = {
		    {.fd = p->conn.fd, .events = POLLIN},
		    {.fd = p->in_open && p->window ? p->v->in : -1, .events = POLLIN}};

		if (poll(f, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (f[0].revents)
			r = receive(p, e);
		if (r >= 0 && !p->over && f[1].revents)
			r = send_more(p, e);
	}
	return r;
}

static int verdict(struct pump *p, struct err *e)
{
	struct wire_frame f = {.data = p->said, .len = p->said_len};

	if (p->status == 0)
		return 0;
	if (p->said_len == sizeof(p->said))
		return wire_err(&f, e);
	return err_set(e, ERR_SYSTEM, "the guest could not do it (status %u)", p->status);
}

int vmfiles_run(struct session *s, const struct instance *i, const struct vmfiles *v, struct err *e)
{
	auto_free unsigned char *chunk = malloc(CHUNK);
	struct exec_request q = {.files = *v->words, .in = v->in >= 0};
	struct pump p = {.v = v,
			 .conn = CONN_INIT,
			 .window = CONTROL_STDIN_WINDOW,
			 .in_open = v->in >= 0,
			 .chunk = chunk};
	int r;

	if (!chunk)
		abort();
	r = exec_start(s, i, &q, &p.conn, e);
	if (r < 0)
		return r;
	r = loop(&p, e);
	conn_close(&p.conn);
	if (p.failed) {
		if (e)
			*e = p.why;
		return p.failed;
	}
	if (r >= 0 && v->answer)
		r = buf_fail(v->answer, "answer of the guest", e);
	return r < 0 ? r : verdict(&p, e);
}

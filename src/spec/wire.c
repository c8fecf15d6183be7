/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/wire.h"
#include "base/buf.h"
#include "base/err.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_AHEAD 65536

static uint32_t get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint16_t get16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

const char *wire_type_name(uint16_t type)
{
	switch (type) {
#define X(name, number)                                                                            \
	case number:                                                                               \
		return #name;
		WIRE_TYPES(X)
#undef X
	default:
		return "unknown";
	}
}

void wire_header(unsigned char out[WIRE_HEADER], enum wire_type type, uint32_t stream, size_t len)
{
	uint32_t l = htole32((uint32_t)len), s = htole32(stream);
	uint16_t t = htole16((uint16_t)type);

	memcpy(out, &l, 4);
	memcpy(out + 4, &t, 2);
	memset(out + 6, 0, 2);
	memcpy(out + 8, &s, 4);
}

void wire_put(struct buf *out, enum wire_type type, uint32_t stream, const void *data, size_t len)
{
	unsigned char h[WIRE_HEADER];

	wire_header(h, type, stream, len);
	buf_add(out, h, sizeof(h));
	buf_add(out, data, len);
}

/* Bytes of the frame that begins at .used, header included; 0 while the header is incomplete. */
static size_t frame_size(const struct wire_reader *r)
{
	if (r->have - r->used < WIRE_HEADER)
		return 0;
	return WIRE_HEADER + (size_t)get32(r->p + r->used);
}

unsigned char *wire_room(struct wire_reader *r, size_t *room)
{
	size_t need, size;

	if (r->used) {
		memmove(r->p, r->p + r->used, r->have - r->used);
		r->have -= r->used;
		r->used = 0;
	}
	size = frame_size(r);
	if (size > WIRE_HEADER + WIRE_PAYLOAD_MAX)
		size = 0; /* wire_next() refuses it; no memory is given to it meanwhile */
	need = size > READ_AHEAD ? size : READ_AHEAD;
	if (need <= r->have)
		need = r->have + WIRE_HEADER;
	if (r->cap < need) {
		r->p = realloc(r->p, need);
		if (!r->p)
			abort();
		r->cap = need;
	}
	*room = r->cap - r->have;
	return r->p + r->have;
}

void wire_fed(struct wire_reader *r, size_t n)
{
	r->have += n;
}

int wire_next(struct wire_reader *r, struct wire_frame *f, struct err *e)
{
	const unsigned char *h;
	size_t size;

	if (r->failed)
		return err_set(e, ERR_CORRUPT, "control stream is broken");
	size = frame_size(r);
	if (!size)
		return 0;
	h = r->p + r->used;
	if (size > WIRE_HEADER + WIRE_PAYLOAD_MAX || get16(h + 6)) {
		r->failed = 1;
		return err_set(e, ERR_CORRUPT, "control stream: frame of %zu bytes with flags 0x%x",
			       size - WIRE_HEADER, get16(h + 6));
	}
	if (r->have - r->used < size)
		return 0;
	*f = (struct wire_frame){
	    .type = get16(h + 4),
	    .stream = get32(h + 8),
	    .data = h + WIRE_HEADER,
	    .len = size - WIRE_HEADER,
	};
	r->used += size;
	return 1;
}

void wire_reader_done(struct wire_reader *r)
{
	free(r->p);
	*r = WIRE_READER_INIT;
}

/* What ends while we speak is an error to report, and must not kill us by SIGPIPE: a `stop` met the
 * end of its monitor.  Not every stream is a socket. */
static ssize_t send_some(int fd, struct iovec *v, int n)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
	ssize_t r = sendmsg(fd, &m, MSG_NOSIGNAL);

	return r < 0 && errno == ENOTSOCK ? writev(fd, v, n) : r;
}

int wire_send(int fd, enum wire_type type, uint32_t stream, const void *data, size_t len,
	      struct err *e)
{
	unsigned char h[WIRE_HEADER];
	union {
		const void *in;
		void *out;
	} u = {.in = data};
	struct iovec v[2] = {{h, sizeof(h)}, {u.out, len}};
	int i = 0;

	wire_header(h, type, stream, len);
	while (i < 2) {
		ssize_t n = send_some(fd, v + i, 2 - i);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "control stream");
		while (i < 2 && (size_t)n >= v[i].iov_len)
			n -= (ssize_t)v[i++].iov_len;
		if (i < 2) {
			v[i].iov_base = (char *)v[i].iov_base + n;
			v[i].iov_len -= (size_t)n;
		}
	}
	return 0;
}

int wire_recv(int fd, struct wire_reader *r, struct wire_frame *f, struct err *e)
{
	for (;;) {
		unsigned char *p;
		size_t room;
		ssize_t n;
		int got = wire_next(r, f, e);

		if (got)
			return got;
		p = wire_room(r, &room);
		n = read(fd, p, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "control stream");
		if (n == 0 && r->have == r->used)
			return 0;
		if (n == 0)
			return err_set(e, ERR_CORRUPT, "control stream ended inside a frame");
		wire_fed(r, (size_t)n);
	}
}

int wire_err(const struct wire_frame *f, struct err *e)
{
	struct err got;

	if (f->len != sizeof(got))
		return err_set(e, ERR_CORRUPT, "control stream: an error report of %zu bytes",
			       f->len);
	memcpy(&got, f->data, sizeof(got));
	got.msg[sizeof(got.msg) - 1] = '\0';
	if (got.kind == ERR_NONE || got.kind >= ERR_KIND_MAX_)
		got.kind = ERR_SYSTEM;
	for (char *p = got.msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return err_set(e, (enum err_kind)got.kind, "%s", got.msg);
}

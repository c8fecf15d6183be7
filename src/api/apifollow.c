/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apifollow.h"
#include "base/err.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 10

void apifollow_add(struct apifollow *f, int fd, const struct apifollow_hello *h)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};

	if (f->n == APIFOLLOW_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	f->v[f->n++] = (struct apifollow_one){.fd = fd, .reader = WIRE_READER_INIT};
	f->in |= h->in;
	f->out |= h->out;
	f->err |= h->err;
}

static void leave_behind(struct apifollow *f, size_t i)
{
	close(f->v[i].fd);
	wire_reader_done(&f->v[i].reader);
	f->v[i] = f->v[--f->n];
}

void apifollow_pass(struct apifollow *f, const struct wire_frame *frame)
{
	for (size_t i = f->n; i-- > 0;)
		if (wire_send(f->v[i].fd, frame->type, frame->stream, frame->data, frame->len,
			      NULL) < 0)
			leave_behind(f, i);
}

void apifollow_say_error(struct apifollow *f, uint32_t stream, const struct err *why)
{
	struct wire_frame frame = {.type = WIRE_ERR,
				   .stream = stream,
				   .data = (const unsigned char *)why,
				   .len = sizeof(*why)};

	apifollow_pass(f, &frame);
}

size_t apifollow_poll(const struct apifollow *f, bool may_type, struct pollfd *fds)
{
	for (size_t i = 0; i < f->n; i++)
		fds[i] = (struct pollfd){.fd = f->v[i].fd, .events = may_type ? POLLIN : 0};
	return f->n;
}

/* 1: it is still there. */
static int pass_typed(struct apifollow_one *o, int fd, size_t *window, struct err *e)
{
	struct wire_frame frame;
	uint32_t took;
	int r = 1;

	/* A frame is at most half of what a follower may send. */
	while (*window >= APIFOLLOW_WINDOW && (r = wire_next(&o->reader, &frame, NULL)) > 0) {
		if (frame.type != WIRE_STDIN || frame.len > APIFOLLOW_WINDOW)
			return 0;
		r = wire_send(fd, WIRE_STDIN, frame.stream, frame.data, frame.len, e);
		if (r < 0)
			return r;
		*window -= frame.len;
		took = htole32((uint32_t)frame.len);
		if (wire_send(o->fd, WIRE_WINDOW, frame.stream, &took, sizeof(took), NULL) < 0)
			return 0;
	}
	return r >= 0;
}

static bool take(struct apifollow_one *o)
{
	size_t room;
	unsigned char *at = wire_room(&o->reader, &room);
	ssize_t n = recv(o->fd, at, room, MSG_DONTWAIT);

	if (n > 0)
		wire_fed(&o->reader, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

int apifollow_typed(struct apifollow *f, const struct pollfd *fds, int fd, size_t *window,
		    struct err *e)
{
	for (size_t i = f->n; i-- > 0;) {
		int there = 1;

		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			there = take(&f->v[i]);
		/* What could not go on earlier is still in the reader. */
		if (there)
			there = pass_typed(&f->v[i], fd, window, e);
		if (there < 0)
			return there;
		if (!there)
			leave_behind(f, i);
	}
	return 0;
}

void apifollow_sweep(struct apifollow *f, const struct pollfd *fds)
{
	for (size_t i = f->n; i-- > 0;)
		if (fds[i].revents & (POLLHUP | POLLERR))
			leave_behind(f, i);
}

void apifollow_done(struct apifollow *f)
{
	while (f->n)
		leave_behind(f, f->n - 1);
}

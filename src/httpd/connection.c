/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/connection.h"
#include "base/err.h"
#include "base/str.h"
#include "httpd/exchange.h"
#include "httpd/httpd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_SECONDS  30
#define IDLE_SECONDS  120
#define STALL_SECONDS 60
#define DRAIN_MAX     (256u << 10) /* of a body nobody read, before the connection is given up */
#define LINGER_MAX    (4u << 20)
#define LINGER_MS     2000

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* More of the head.  1, 0 when the client left or took too long. */
static int more(struct exchange *x, int64_t until_ms)
{
	struct pollfd p = {.fd = x->fd, .events = POLLIN};
	int64_t left = until_ms - now_ms();
	ssize_t n;

	if (left <= 0 || x->end == EXCHANGE_ROOM)
		return 0;
	n = poll(&p, 1, (int)left);
	if (n < 0)
		return errno == EINTR;
	n = n ? recv(x->fd, x->in + x->end, EXCHANGE_ROOM - x->end, MSG_DONTWAIT) : 0;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	x->end += (size_t)n;
	return n > 0;
}

/* 1: x->request is there; 0: the connection is over; < 0: what came is no request. */
static int read_head(struct exchange *x, const struct httpd_opts *o, struct err *e)
{
	int head = o->head_seconds ? o->head_seconds : HEAD_SECONDS;
	int idle = o->idle_seconds ? o->idle_seconds : IDLE_SECONDS;
	int64_t until = now_ms() + (x->end > x->at ? head : idle) * 1000ll;

	/* What the last request left comes to the front, so that a whole head has room. */
	memmove(x->in, x->in + x->at, x->end - x->at);
	x->end -= x->at;
	x->at = 0;
	for (;;) {
		bool first = !x->end;
		ssize_t n = http_request_parse(x->in, x->end, &x->arena, &x->request, e);

		if (n < 0)
			return (int)n;
		if (n > 0) {
			x->at = (size_t)n;
			return 1;
		}
		if (!more(x, until))
			return 0;
		if (first)
			until = now_ms() + head * 1000ll;
	}
}

static void tell(struct exchange *x, const struct httpd_opts *o, const struct err *why)
{
	if (exchange_begun(x) || x->broken)
		return;
	if (o->fail)
		o->fail(x, why, o->arg);
	else
		exchange_send(x, err_http_status(why), "text/plain; charset=utf-8", why->msg,
			      why->len, NULL);
}

/* Pass over what the handler did not want, if that is little. */
static bool drained(struct exchange *x)
{
	char piece[8192];
	size_t all = 0;
	ssize_t n = 1;

	/* A client that waits to be invited and was answered sends nothing. */
	if (x->request.expect_continue && !x->continued && x->at == x->end)
		return exchange_body_read(x);
	while (n > 0 && all < DRAIN_MAX) {
		n = exchange_read(x, piece, sizeof(piece), NULL);
		all += n > 0 ? (size_t)n : 0;
	}
	return n == 0 && exchange_body_read(x);
}

/* The end of a stream, and whether another request may follow. */
static bool finish(struct exchange *x)
{
	if (x->hijacked || x->broken)
		return false;
	if (x->chunked) {
		if (!x->bodiless && send(x->fd, "0\r\n\r\n", 5, MSG_NOSIGNAL) != 5)
			return false;
		x->whole = true;
	}
	return x->whole && x->request.keep_alive && drained(x);
}

/* Returns whether the connection goes on. */
static bool one(struct exchange *x, const struct httpd_opts *o, unsigned char *waits)
{
	struct err e = ERR_INIT;
	int r;

	*waits = 1;
	r = read_head(x, o, &e);
	*waits = 0;

	if (r == 0)
		return false;
	x->left = x->request.length;
	x->bodiless = x->request.method && streq(x->request.method, "HEAD");
	if (r > 0)
		r = o->handle(x, o->arg, &e);
	else
		x->request.keep_alive = false;
	if (r >= 0 && !exchange_begun(x))
		r = err_set(&e, ERR_SYSTEM, "the request was not answered");
	if (r >= 0)
		return finish(x);
	if (exchange_begun(x))
		return false;
	tell(x, o, &e);
	return finish(x);
}

/* Closing with bytes unread would reset the connection, and the answer with it. */
static void linger(struct exchange *x)
{
	struct pollfd p = {.fd = x->fd, .events = POLLIN};
	int64_t until = now_ms() + LINGER_MS;
	size_t all = 0;
	ssize_t n = 1;

	if (x->hijacked || !exchange_begun(x) || shutdown(x->fd, SHUT_WR) < 0)
		return;
	while (n > 0 && all < LINGER_MAX && now_ms() < until) {
		n = poll(&p, 1, (int)(until - now_ms()));
		n = n > 0 ? recv(x->fd, x->in, EXCHANGE_ROOM, MSG_DONTWAIT) : 0;
		all += n > 0 ? (size_t)n : 0;
	}
}

void connection_serve(int fd, const struct httpd_opts *o, unsigned char *waits)
{
	char *room = malloc(EXCHANGE_ROOM);
	struct exchange x = {.in = room};
	int stall = o->stall_seconds ? o->stall_seconds : STALL_SECONDS;
	bool go = true;

	if (!room)
		abort();
	while (go) {
		x = (struct exchange){.fd = fd,
				      .in = room,
				      .at = x.at,
				      .end = x.end,
				      .stall_ms = stall < 0 ? -1 : stall * 1000,
				      .fields = BUF_INIT(64u << 10)};
		go = one(&x, o, waits);
		arena_free(&x.arena);
		buf_free(&x.fields);
	}
	linger(&x);
	free(room);
}

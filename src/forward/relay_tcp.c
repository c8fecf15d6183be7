/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is two sockets and two pipes; bytes go from socket to pipe to socket by splice(2)
 * and never come up here.  A way reads when its pipe is empty and writes when it is not; what it
 * cannot do now is asked of epoll, level-triggered, so that a request or an answer is one wait and
 * two splices and changes no interest (edge-triggered, asking until nothing moves, it was six
 * calls: bench/net.py).  An end of file travels like a byte: when the pipe before it is empty the
 * other socket is shut down for writing; when both are, the connection is over.
 */
#include "forward/relay_tcp.h"
#include "forward/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK	 65536
#define OPEN_MAX 1000 /* connections of one port: 6 descriptors each */

/* epoll tells of errors and hang-ups to whoever waits for nothing, again and again. */
#define NOT_WAITED EPOLLMSG

struct listener {
	struct pump_source s;
	struct pump *pump;
	struct sockaddr_in to;
	int open;
	bool deaf; /* OPEN_MAX are open, or descriptors ran out: not listening until one ends */
};

struct way {
	int pipe[2];
	size_t held;
	bool eof, shut;
};

struct conn {
	struct pump_source side[2]; /* 0: who called, 1: the instance */
	struct way way[2];	    /* 0: from side 0 to side 1 */
	uint32_t want[2];	    /* what each side is waited for; with NOT_WAITED: by nobody */
	struct listener *from;
	bool connected;
};

static void listen_again(struct listener *l)
{
	if (l->deaf && pump_add(l->pump, &l->s, EPOLLIN) == 0)
		l->deaf = false;
}

static void deafen(struct listener *l)
{
	if (!l->deaf)
		pump_remove(l->pump, &l->s);
	l->deaf = true;
}

/* reset: who called shall see that it was not an orderly end. */
static void conn_free(struct conn *c, bool reset)
{
	struct linger now = {.l_onoff = 1};

	if (reset && c->side[0].fd >= 0)
		setsockopt(c->side[0].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	for (int i = 0; i < 2; i++) {
		if (c->side[i].fd >= 0)
			close(c->side[i].fd);
		for (int k = 0; k < 2; k++)
			if (c->way[i].pipe[k] >= 0)
				close(c->way[i].pipe[k]);
	}
	c->from->open--;
	listen_again(c->from);
	free(c);
}

static int fill(struct way *w, int from)
{
	ssize_t n;

	if (w->eof || w->held)
		return 0;
	n = splice(from, NULL, w->pipe[1], NULL, CHUNK, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	w->eof = n == 0;
	w->held = (size_t)n;
	return 0;
}

static int drain(struct way *w, int to)
{
	if (w->held) {
		ssize_t n =
		    splice(w->pipe[0], NULL, to, NULL, w->held, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		w->held -= n > 0 ? (size_t)n : 0;
	}
	if (w->eof && !w->held && !w->shut) {
		shutdown(to, SHUT_WR);
		w->shut = true;
	}
	return 0;
}

/* hung: nothing but a hang-up is left to hear of this side. */
static int watch(struct conn *c, int side, bool hung)
{
	const struct way *out = &c->way[side], *in = &c->way[!side];
	uint32_t want = (!out->eof && !out->held ? EPOLLIN : 0) | (in->held ? EPOLLOUT : 0);
	int r = 0;

	if (!want && (hung || (out->eof && in->shut)))
		want = NOT_WAITED;
	if (want == c->want[side])
		return 0;
	if (want == NOT_WAITED)
		pump_remove(c->from->pump, &c->side[side]);
	else if (c->want[side] == NOT_WAITED)
		r = pump_add(c->from->pump, &c->side[side], want);
	else
		r = pump_change(c->from->pump, &c->side[side], want);
	c->want[side] = want;
	return r;
}

static int failed(const struct conn *c, int side)
{
	int why = 0;
	socklen_t len = sizeof(why);

	if (getsockopt(c->side[side].fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		return -errno;
	return -why;
}

static void conn_ready(struct conn *c, int side, uint32_t events)
{
	bool hung = events & (EPOLLHUP | EPOLLERR);
	/* A connection that was not there yet is there now, or why not. */
	int r = hung || !c->connected ? failed(c, side) : 0;

	c->connected |= r == 0;
	if (r == 0 && events & (EPOLLIN | EPOLLHUP))
		r = fill(&c->way[side], c->side[side].fd);
	for (int i = 0; r == 0 && i < 2; i++)
		r = drain(&c->way[i], c->side[!i].fd);
	for (int i = 0; r == 0 && i < 2; i++)
		r = watch(c, i, hung && i == side);
	if (r < 0)
		conn_free(c, true);
	else if (c->way[0].shut && c->way[1].shut)
		conn_free(c, false);
}

static void caller_ready(struct pump_source *s, uint32_t events)
{
	conn_ready(pump_owner(s, struct conn, side[0]), 0, events);
}

static void instance_ready(struct pump_source *s, uint32_t events)
{
	conn_ready(pump_owner(s, struct conn, side[1]), 1, events);
}

static int conn_start(struct conn *c, const struct listener *l)
{
	const int on = 1;

	for (int i = 0; i < 2; i++)
		if (pipe2(c->way[i].pipe, O_CLOEXEC | O_NONBLOCK) < 0)
			return -errno;
	c->side[1].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->side[1].fd < 0)
		return -errno;
	/* Whoever writes has decided what goes together; waiting here adds a delayed answer's 40
	 * ms. */
	for (int i = 0; i < 2; i++)
		setsockopt(c->side[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->side[1].fd, (const struct sockaddr *)&l->to, sizeof(l->to)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	/* The caller is not heard before somebody can listen. */
	c->want[0] = NOT_WAITED;
	c->want[1] = EPOLLOUT;
	return pump_add(l->pump, &c->side[1], EPOLLOUT);
}

static void accept_ready(struct pump_source *s, uint32_t events)
{
	struct listener *l = pump_owner(s, struct listener, s);
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			deafen(l);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct conn){.side = {{fd, caller_ready}, {-1, instance_ready}},
			   .way = {{.pipe = {-1, -1}}, {.pipe = {-1, -1}}},
			   .from = l};
	if (++l->open >= OPEN_MAX)
		deafen(l);
	if (conn_start(c, l) < 0)
		conn_free(c, true);
}

int relay_tcp_add(struct pump *p, int fd, const struct sockaddr_in *to)
{
	struct listener *l = calloc(1, sizeof(*l));
	const int on = 1;

	if (!l)
		abort();
	*l = (struct listener){.s = {fd, accept_ready}, .pump = p, .to = *to};
	/* Inherited by connections: one that has ended (TIME_WAIT) does not keep the port from the
	 * instance's next start. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    listen(fd, SOMAXCONN) < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		int why = errno;

		free(l);
		return -why;
	}
	return pump_add(p, &l->s, EPOLLIN);
}

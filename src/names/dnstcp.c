/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States of a connection: ASKING (its question is read) -> ANSWERING (an answer is written) ->
 * ASKING; or ASKING -> PASSING (to the server) -> WAITING (for its answer) -> ANSWERING.  One
 * buffer holds what is being moved, with the two bytes of its length in front.
 */
#include "names/dnstcp.h"
#include "base/str.h"
#include "names/nameserver.h"
#include "names/upstream.h"
#include "sys/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define IDLE_MS 10000
#define SIZE	(2 + 65535)

#define owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

enum state { ASKING, ANSWERING, PASSING, WAITING };

struct talk {
	struct nameserver_source client, server; /* client.fd 0: free */
	struct dnstcp *t;
	struct nameserver_network *net;
	struct in_addr from;
	enum state state;
	uint8_t *buf;
	size_t at;
	int64_t due_ms;
};

struct dnstcp {
	struct nameserver *s;
	struct talk v[DNSTCP_MAX];
};

struct dnstcp *dnstcp_new(struct nameserver *s)
{
	struct dnstcp *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->s = s;
	return t;
}

static void hang_up(struct talk *k)
{
	if (k->server.fd > 0)
		fd_close(k->server.fd);
	fd_close(k->client.fd);
	free(k->buf);
	*k = (struct talk){.t = k->t};
}

static void listen_for(struct talk *k, struct nameserver_source *src, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = src};

	if (epoll_ctl(k->t->s->epoll, EPOLL_CTL_MOD, src->fd, &e) < 0)
		hang_up(k);
}

static void enter(struct talk *k, enum state state)
{
	k->state = state;
	k->at = 0;
	k->due_ms = nameserver_now_ms() + IDLE_MS;
}

static size_t length(const struct talk *k)
{
	return 2 + ((size_t)k->buf[0] << 8 | k->buf[1]);
}

/* A whole message into .buf: 1 it is there, 0 not yet, negative: the end. */
static int fill(struct talk *k, int fd, size_t max)
{
	for (;;) {
		size_t want = k->at < 2 ? 2 : length(k);
		ssize_t n;

		if (k->at >= 2 && (want > max || want == 2))
			return -EMSGSIZE;
		if (k->at >= 2 && k->at == want)
			return 1;
		n = recv(fd, k->buf + k->at, want - k->at, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		k->at += (size_t)n;
	}
}

static int drain(struct talk *k, int fd)
{
	while (k->at < length(k)) {
		ssize_t n =
		    send(fd, k->buf + k->at, length(k) - k->at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		k->at += (size_t)n;
	}
	return 1;
}

static void answer(struct talk *k, const uint8_t *p, size_t n)
{
	k->buf[0] = (uint8_t)(n >> 8);
	k->buf[1] = (uint8_t)n;
	memmove(k->buf + 2, p, n);
	enter(k, ANSWERING);
	listen_for(k, &k->client, EPOLLOUT);
}

static void server_ready(struct nameserver_source *src, uint32_t events)
{
	struct talk *k = owner(src, struct talk, server);
	int r = k->state == PASSING ? drain(k, src->fd) : fill(k, src->fd, SIZE);

	if (r < 0) {
		hang_up(k);
	} else if (r > 0 && k->state == PASSING) {
		enter(k, WAITING);
		listen_for(k, src, EPOLLIN);
	} else if (r > 0) {
		fd_close(src->fd);
		src->fd = 0;
		answer(k, k->buf + 2, length(k) - 2);
	}
}

static void pass_on(struct talk *k, const struct attachment *asker)
{
	int fd = upstream_connect(asker->dns.v[0], SOCK_STREAM);

	if (fd < 0) {
		hang_up(k);
		return;
	}
	enter(k, PASSING);
	k->server = (struct nameserver_source){fd, server_ready};
	if (nameserver_add(k->t->s, &k->server, EPOLLOUT) < 0)
		hang_up(k);
	else
		listen_for(k, &k->client, 0);
}

static void question(struct talk *k)
{
	const struct attachment *asker;
	uint8_t out[DNS_ANSWER_MAX];
	struct dns_question q;
	size_t n;
	int r = nameserver_decide(k->t->s, k->net, k->from, k->buf + 2, length(k) - 2, &q, &asker,
				  out, &n);

	if (r == -EAGAIN)
		pass_on(k, asker);
	else if (r == DNS_OK)
		answer(k, out, n);
	else
		hang_up(k);
}

static void client_ready(struct nameserver_source *src, uint32_t events)
{
	struct talk *k = owner(src, struct talk, client);
	int r = -EPIPE;

	if (k->state == ASKING)
		r = fill(k, src->fd, 2 + DNS_QUESTION_MAX);
	else if (k->state == ANSWERING)
		r = drain(k, src->fd);
	if (r < 0) {
		hang_up(k);
	} else if (r > 0 && k->state == ASKING) {
		question(k);
	} else if (r > 0) {
		enter(k, ASKING);
		listen_for(k, src, EPOLLIN);
	}
}

void dnstcp_accept(struct dnstcp *t, struct nameserver_network *net)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int fd = accept4(net->tcp.fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct talk *k = NULL;
	size_t same = 0;

	if (fd < 0)
		return;
	for (size_t i = 0; i < DNSTCP_MAX; i++) {
		if (t->v[i].client.fd <= 0)
			k = &t->v[i];
		else
			same += t->v[i].from.s_addr == from.sin_addr.s_addr;
	}
	if (!k || same >= DNSTCP_PER_ASKER) {
		fd_close(fd);
		return;
	}
	*k = (struct talk){.t = t,
			   .net = net,
			   .from = from.sin_addr,
			   .client = {fd, client_ready},
			   .buf = malloc(SIZE)};
	if (!k->buf)
		abort();
	enter(k, ASKING);
	if (nameserver_add(t->s, &k->client, EPOLLIN) < 0)
		hang_up(k);
}

void dnstcp_forget(struct dnstcp *t, const struct nameserver_network *net)
{
	for (size_t i = 0; i < DNSTCP_MAX; i++)
		if (t->v[i].client.fd > 0 && t->v[i].net == net)
			hang_up(&t->v[i]);
}

int64_t dnstcp_due_ms(const struct dnstcp *t)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < DNSTCP_MAX; i++)
		if (t->v[i].client.fd > 0 && t->v[i].due_ms < due)
			due = t->v[i].due_ms;
	return due;
}

void dnstcp_expire(struct dnstcp *t)
{
	int64_t now = nameserver_now_ms();

	for (size_t i = 0; i < DNSTCP_MAX; i++)
		if (t->v[i].client.fd > 0 && t->v[i].due_ms <= now)
			hang_up(&t->v[i]);
}

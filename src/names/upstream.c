/* SPDX-License-Identifier: Apache-2.0 */
#include "names/upstream.h"
#include "base/auto.h"
#include "base/str.h"
#include "names/nameserver.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#define TRY_MS	    2000
#define ANSWER_SIZE 65535
#define PORT	    53

#define owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct flight {
	struct nameserver_source src; /* fd 0: free */
	struct upstream *u;
	struct nameserver_network *net;
	struct sockaddr_in from;
	struct dns_question q;
	uint16_t id; /* ours */
	uint8_t *asked;
	size_t len;
	char servers[UPSTREAM_SERVERS][INET6_ADDRSTRLEN];
	size_t n_servers, at;
	int64_t due_ms;
};

struct upstream {
	struct nameserver *s;
	struct flight v[UPSTREAM_MAX];
	uint8_t answer[ANSWER_SIZE];
};

struct upstream *upstream_new(struct nameserver *s)
{
	struct upstream *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->s = s;
	return u;
}

int upstream_connect(const char *server, int type)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	bool four = inet_pton(AF_INET, server, &in.sin_addr) == 1;
	auto_fd int fd = -1;

	if (!four && inet_pton(AF_INET6, server, &in6.sin6_addr) != 1)
		return -EINVAL;
	fd = socket(four ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, four ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
		    four ? sizeof(in) : sizeof(in6)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return take_fd(&fd);
}

static void unplug(struct flight *f)
{
	if (f->src.fd > 0)
		fd_close(f->src.fd);
	f->src.fd = 0;
}

static void land(struct flight *f)
{
	unplug(f);
	free(f->asked);
	*f = (struct flight){.u = f->u};
}

static void fail(struct flight *f)
{
	uint8_t out[DNS_ANSWER_MAX];
	size_t n = dns_answer_write(f->asked, &f->q, DNS_FAILED, NULL, 0, 0, out);

	(void)sendto(f->net->udp.fd, out, n, MSG_DONTWAIT, (struct sockaddr *)&f->from,
		     sizeof(f->from));
	land(f);
}

static void ready(struct nameserver_source *src, uint32_t events);

/* To the next server that can be reached; whether there is one. */
static bool send_on(struct flight *f)
{
	for (; f->at < f->n_servers; f->at++) {
		uint16_t id;
		int fd;

		unplug(f);
		fd = upstream_connect(f->servers[f->at], SOCK_DGRAM);
		if (fd < 0 || getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id)) {
			fd_close(fd);
			continue;
		}
		f->src = (struct nameserver_source){fd, ready};
		f->id = id;
		f->asked[0] = (uint8_t)(id >> 8);
		f->asked[1] = (uint8_t)id;
		if (send(fd, f->asked, f->len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)f->len &&
		    nameserver_add(f->u->s, &f->src, EPOLLIN) == 0) {
			f->asked[0] = (uint8_t)(f->q.id >> 8);
			f->asked[1] = (uint8_t)f->q.id;
			f->due_ms = nameserver_now_ms() + TRY_MS;
			f->at++;
			return true;
		}
	}
	f->asked[0] = (uint8_t)(f->q.id >> 8);
	f->asked[1] = (uint8_t)f->q.id;
	return false;
}

static void ready(struct nameserver_source *src, uint32_t events)
{
	struct flight *f = owner(src, struct flight, src);
	uint8_t *p = f->u->answer;
	ssize_t n = recv(src->fd, p, ANSWER_SIZE, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Nobody listens there (ICMP). */
	if (n < 0) {
		if (!send_on(f))
			fail(f);
		return;
	}
	if (!dns_answers(p, (size_t)n, f->id, f->asked, &f->q))
		return; /* somebody guesses */
	memcpy(p, f->asked, 2);
	(void)sendto(f->net->udp.fd, p, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&f->from,
		     sizeof(f->from));
	land(f);
}

int upstream_ask(struct upstream *u, struct nameserver_network *net, const struct sockaddr_in *from,
		 const uint8_t *p, size_t n, const struct dns_question *q,
		 const struct attachment *asker, uint8_t out[DNS_ANSWER_MAX], size_t *len)
{
	struct flight *f = NULL;
	size_t same = 0;

	for (size_t i = 0; i < UPSTREAM_MAX; i++) {
		if (u->v[i].src.fd <= 0)
			f = &u->v[i];
		else
			same += u->v[i].from.sin_addr.s_addr == from->sin_addr.s_addr;
	}
	if (f && same < UPSTREAM_PER_ASKER) {
		*f = (struct flight){
		    .u = u, .net = net, .from = *from, .q = *q, .len = n, .asked = malloc(n)};
		if (!f->asked)
			abort();
		memcpy(f->asked, p, n);
		for (size_t i = 0; i < asker->dns.n && f->n_servers < UPSTREAM_SERVERS; i++)
			if (strlen(asker->dns.v[i]) < INET6_ADDRSTRLEN)
				snprintf(f->servers[f->n_servers++], INET6_ADDRSTRLEN, "%s",
					 asker->dns.v[i]);
		if (send_on(f))
			return -EAGAIN;
		land(f);
	}
	*len = dns_answer_write(p, q, DNS_FAILED, NULL, 0, 0, out);
	return DNS_OK;
}

void upstream_forget(struct upstream *u, const struct nameserver_network *net)
{
	for (size_t i = 0; i < UPSTREAM_MAX; i++)
		if (u->v[i].src.fd > 0 && u->v[i].net == net)
			land(&u->v[i]);
}

int64_t upstream_due_ms(const struct upstream *u)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < UPSTREAM_MAX; i++)
		if (u->v[i].src.fd > 0 && u->v[i].due_ms < due)
			due = u->v[i].due_ms;
	return due;
}

void upstream_expire(struct upstream *u)
{
	int64_t now = nameserver_now_ms();

	for (size_t i = 0; i < UPSTREAM_MAX; i++)
		if (u->v[i].src.fd > 0 && u->v[i].due_ms <= now && !send_on(&u->v[i]))
			fail(&u->v[i]);
}

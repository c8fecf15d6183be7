/* SPDX-License-Identifier: Apache-2.0 */
#include "names/nameserver.h"
#include "base/auto.h"
#include "base/str.h"
#include "names/dnstcp.h"
#include "names/upstream.h"
#include "net/nameproc.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TTL_S	2  /* names come and go, and asking again costs a tenth of a millisecond */
#define AT_ONCE 64 /* packets of one socket before the others have their turn */
#define EVENTS	64
#define BACKLOG 64

#define owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

int64_t nameserver_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int nameserver_add(struct nameserver *s, struct nameserver_source *src, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = src};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, src->fd, &e) < 0 ? -errno : 0;
}

/* ---- questions ---- */

int nameserver_decide(struct nameserver *s, const struct nameserver_network *net,
		      struct in_addr from, const uint8_t *p, size_t n, struct dns_question *q,
		      const struct attachment **asker, uint8_t out[DNS_ANSWER_MAX], size_t *len)
{
	struct dns_record v[DNS_ANSWERS_MAX];
	char address[INET_ADDRSTRLEN];
	size_t found;
	int r = dns_question_read(p, n, q);

	if (r < 0)
		return r;
	inet_ntop(AF_INET, &from, address, sizeof(address));
	*asker = book_asker(&s->book, net->gateway, address);
	if (!*asker)
		return -EBADMSG;
	if (r > 0) {
		*len = dns_answer_write(p, NULL, r, NULL, 0, 0, out);
		return DNS_OK;
	}
	r = book_look_up(&s->book, *asker, q, v, &found);
	if (r < 0 && book_leads_out(&s->book, *asker) && (*asker)->dns.n)
		return -EAGAIN;
	/* Where nothing leads outside there are no other names. */
	*len =
	    dns_answer_write(p, q, r < 0 ? DNS_NO_NAME : DNS_OK, v, r < 0 ? 0 : found, TTL_S, out);
	return DNS_OK;
}

static void udp_ready(struct nameserver_source *src, uint32_t events)
{
	struct nameserver_network *net = owner(src, struct nameserver_network, udp);
	uint8_t p[DNS_QUESTION_MAX + 1], out[DNS_ANSWER_MAX];

	for (int i = 0; i < AT_ONCE; i++) {
		const struct attachment *asker;
		struct dns_question q;
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		size_t answer;
		ssize_t n =
		    recvfrom(src->fd, p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		int r;

		if (n < 0)
			return;
		r = nameserver_decide(net->server, net, from.sin_addr, p, (size_t)n, &q, &asker,
				      out, &answer);
		if (r == -EAGAIN)
			r = upstream_ask(net->server->upstream, net, &from, p, (size_t)n, &q, asker,
					 out, &answer);
		if (r == DNS_OK)
			(void)sendto(src->fd, out, answer, MSG_DONTWAIT, (struct sockaddr *)&from,
				     sizeof(from));
	}
}

static void tcp_ready(struct nameserver_source *src, uint32_t events)
{
	struct nameserver_network *net = owner(src, struct nameserver_network, tcp);

	dnstcp_accept(net->server->tcp, net);
}

/* ---- sockets ---- */

static int bound(const char *gateway, int type)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(NAMEPROC_PORT)};
	auto_fd int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0 || inet_pton(AF_INET, gateway, &sa.sin_addr) != 1)
		return -EINVAL;
	/* The bridge may be made anew while we look. */
	(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return -errno;
	return take_fd(&fd);
}

static void network_close(struct nameserver_network *net)
{
	upstream_forget(net->server->upstream, net);
	dnstcp_forget(net->server->tcp, net);
	fd_close(net->udp.fd);
	fd_close(net->tcp.fd);
	*net = (struct nameserver_network){.server = net->server};
}

static int network_open(struct nameserver *s, const char *gateway)
{
	struct nameserver_network *net = s->networks;
	auto_fd int udp = -1, tcp = -1;
	int r;

	while (net < s->networks + NAMESERVER_NETWORKS_MAX && net->gateway[0])
		net++;
	if (net == s->networks + NAMESERVER_NETWORKS_MAX)
		return -ENOSPC;
	udp = r = bound(gateway, SOCK_DGRAM);
	if (r >= 0)
		tcp = r = bound(gateway, SOCK_STREAM);
	if (r < 0)
		return r;
	*net = (struct nameserver_network){.server = s,
					   .udp = {take_fd(&udp), udp_ready},
					   .tcp = {take_fd(&tcp), tcp_ready},
					   .wanted = true};
	snprintf(net->gateway, sizeof(net->gateway), "%s", gateway);
	r = nameserver_add(s, &net->udp, EPOLLIN);
	if (r == 0)
		r = nameserver_add(s, &net->tcp, EPOLLIN);
	if (r < 0)
		network_close(net);
	return r;
}

/* As many networks as the book has.  The first failure, all the same trying the others. */
static int networks_match(struct nameserver *s)
{
	int first = 0;

	for (size_t i = 0; i < NAMESERVER_NETWORKS_MAX; i++)
		s->networks[i].wanted = false;
	for (size_t i = 0; i < s->book.n; i++) {
		const struct book_entry *one = &s->book.v[i];
		const char *gateway = one->file[0] && one->at.resolves ? one->at.gateway : NULL;
		bool there = !gateway;

		for (size_t k = 0; !there && k < NAMESERVER_NETWORKS_MAX; k++)
			if (streq(s->networks[k].gateway, gateway))
				there = s->networks[k].wanted = true;
		if (!there) {
			int r = network_open(s, gateway);

			first = first ? first : r;
		}
	}
	for (size_t i = 0; i < NAMESERVER_NETWORKS_MAX; i++)
		if (s->networks[i].gateway[0] && !s->networks[i].wanted)
			network_close(&s->networks[i]);
	return first;
}

/* ---- coming and going ---- */

/* Whoever comes writes his record under this lock and then looks whether somebody answers: with the
 * lock held and no record there, going is safe (net/nameproc.h). */
static void perhaps_go(struct nameserver *s)
{
	if (!book_empty(&s->book))
		return;
	while (flock(s->lock_fd, LOCK_EX) < 0 && errno == EINTR)
		;
	book_reload(&s->book);
	if (book_empty(&s->book)) {
		s->stop = true; /* the lock goes with this process */
		return;
	}
	flock(s->lock_fd, LOCK_UN);
	networks_match(s);
}

static void changes_ready(struct nameserver_source *src, uint32_t events)
{
	struct nameserver *s = owner(src, struct nameserver, changes);

	if (book_refresh(&s->book)) {
		networks_match(s);
		perhaps_go(s);
	}
}

/* Somebody waits until his record counts: "ok", or an errno's number. */
static void control_ready(struct nameserver_source *src, uint32_t events)
{
	struct nameserver *s = owner(src, struct nameserver, control);
	auto_fd int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);
	char text[16];
	int r;

	if (fd < 0)
		return;
	book_refresh(&s->book);
	r = networks_match(s);
	snprintf(text, sizeof(text), "%d\n", -r);
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int nameserver_open(struct nameserver *s, int dir_fd, int control_fd, int lock_fd)
{
	int r;

	*s = (struct nameserver){
	    .epoll = epoll_create1(EPOLL_CLOEXEC),
	    .networks = calloc(NAMESERVER_NETWORKS_MAX, sizeof(*s->networks)),
	    .lock_fd = lock_fd,
	};
	if (s->epoll < 0 || !s->networks)
		return -ENOMEM;
	for (size_t i = 0; i < NAMESERVER_NETWORKS_MAX; i++)
		s->networks[i] = (struct nameserver_network){.server = s};
	r = book_open(&s->book, dir_fd);
	if (r < 0)
		return r;
	s->upstream = upstream_new(s);
	s->tcp = dnstcp_new(s);
	s->changes = (struct nameserver_source){s->book.watch, changes_ready};
	s->control = (struct nameserver_source){control_fd, control_ready};
	r = nameserver_add(s, &s->changes, EPOLLIN);
	return r < 0 ? r : nameserver_add(s, &s->control, EPOLLIN);
}

int nameserver_run(struct nameserver *s)
{
	struct epoll_event ev[EVENTS];

	(void)networks_match(s);
	while (!s->stop) {
		int64_t a = upstream_due_ms(s->upstream), b = dnstcp_due_ms(s->tcp);
		int64_t due = a < b ? a : b, now = nameserver_now_ms();
		int n = epoll_wait(s->epoll, ev, EVENTS,
				   due == INT64_MAX ? -1
				   : due <= now	    ? 0
						    : (int)(due - now));

		if (n < 0 && errno != EINTR)
			return -errno;
		/* One event may close what a later one is about: a closed source has no fd. */
		for (int i = 0; i < n && !s->stop; i++) {
			struct nameserver_source *src = ev[i].data.ptr;

			if (src->fd > 0)
				src->ready(src, ev[i].events);
		}
		upstream_expire(s->upstream);
		dnstcp_expire(s->tcp);
	}
	return 0;
}

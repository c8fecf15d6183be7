/* SPDX-License-Identifier: Apache-2.0 */
#include "forward/relay_udp.h"
#include "forward/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENDERS_MAX  512
#define DATAGRAM_MAX 65536

struct port {
	struct pump_source s;
	struct pump *pump;
	struct sockaddr_in to;
	struct sender *senders; /* the last heard of first */
	size_t n;
	struct port *next;
};

struct sender {
	struct pump_source s;
	struct port *port;
	struct sockaddr_in who;
	int64_t heard; /* ms */
	struct sender *next;
};

/* For the tick, which is given nothing but the pump. */
static struct port *ports;

static void drop(struct sender **at)
{
	struct sender *s = *at;

	*at = s->next;
	s->port->n--;
	close(s->s.fd);
	free(s);
}

static void tick(struct pump *p)
{
	int64_t now = pump_now();

	for (struct port *port = ports; port; port = port->next)
		for (struct sender **at = &port->senders; *at;)
			if (now - (*at)->heard > RELAY_UDP_SILENT_MS)
				drop(at);
			else
				at = &(*at)->next;
}

static void answer_ready(struct pump_source *src, uint32_t events)
{
	static unsigned char data[DATAGRAM_MAX]; /* one thread */
	struct sender *s = pump_owner(src, struct sender, s);
	ssize_t n = recv(src->fd, data, sizeof(data), 0);

	/* An error is what the network said of an earlier datagram (nobody listens): it is taken
	 * off by reading it. */
	if (n < 0)
		return;
	s->heard = pump_now();
	(void)sendto(s->port->s.fd, data, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&s->who,
		     sizeof(s->who));
}

static struct sender *sender_new(struct port *p, const struct sockaddr_in *who)
{
	struct sender *s, **last = &p->senders;

	if (p->n >= SENDERS_MAX) {
		while ((*last)->next)
			last = &(*last)->next;
		drop(last);
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	*s = (struct sender){.s = {.ready = answer_ready}, .port = p, .who = *who};
	s->s.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->s.fd < 0 || connect(s->s.fd, (const struct sockaddr *)&p->to, sizeof(p->to)) < 0 ||
	    pump_add(p->pump, &s->s, EPOLLIN) < 0) {
		if (s->s.fd >= 0)
			close(s->s.fd);
		free(s);
		return NULL;
	}
	p->n++;
	return s;
}

/* Moves the sender to the front. */
static struct sender *sender_of(struct port *p, const struct sockaddr_in *who)
{
	struct sender *s, **at = &p->senders;

	while (*at && ((*at)->who.sin_port != who->sin_port ||
		       (*at)->who.sin_addr.s_addr != who->sin_addr.s_addr))
		at = &(*at)->next;
	s = *at;
	if (s)
		*at = s->next;
	else
		s = sender_new(p, who);
	if (!s)
		return NULL;
	s->next = p->senders;
	p->senders = s;
	s->heard = pump_now();
	return s;
}

static void port_ready(struct pump_source *src, uint32_t events)
{
	static unsigned char data[DATAGRAM_MAX]; /* one thread */
	struct port *p = pump_owner(src, struct port, s);
	struct sockaddr_in who;
	socklen_t len = sizeof(who);
	ssize_t n = recvfrom(src->fd, data, sizeof(data), 0, (struct sockaddr *)&who, &len);
	struct sender *s;

	if (n < 0 || len != sizeof(who))
		return;
	s = sender_of(p, &who);
	if (s)
		(void)send(s->s.fd, data, (size_t)n, MSG_DONTWAIT);
}

int relay_udp_add(struct pump *p, int fd, const struct sockaddr_in *to)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port)
		abort();
	*port = (struct port){.s = {fd, port_ready}, .pump = p, .to = *to, .next = ports};
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		int why = errno;

		free(port);
		return -why;
	}
	ports = port;
	p->tick = tick;
	return pump_add(p, &port->s, EPOLLIN);
}

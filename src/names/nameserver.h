/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nameserver - the sockets on the gateways of all networks, and what is done with a question.
 *
 * One socket pair (UDP, TCP) per network with an instance on it, on the gateway's address and
 * NAMEPROC_PORT (net/nameproc.h); packets to port 53 of the gateway are redirected there by our
 * rules. Everything that an instance can make us keep is bounded, per asker and in total.
 */
#ifndef NAMES_NAMESERVER_H
#define NAMES_NAMESERVER_H

#include "names/book.h"

#include <netinet/in.h>

#define NAMESERVER_NETWORKS_MAX 512

/* Something epoll tells of. */
struct nameserver_source {
	int fd;
	void (*ready)(struct nameserver_source *s, uint32_t events);
};

struct nameserver;
struct nameserver_network {
	struct nameserver *server;
	struct nameserver_source udp, tcp;
	char gateway[INET_ADDRSTRLEN]; /* "": free */
	bool wanted;
};

struct upstream;
struct dnstcp;
struct nameserver {
	int epoll;
	struct book book;
	struct nameserver_source changes, control;
	struct nameserver_network *networks; /* NAMESERVER_NETWORKS_MAX */
	struct upstream *upstream;
	struct dnstcp *tcp;
	int lock_fd; /* run-root/net/lock */
	bool stop;
};

/* dir_fd: as of book_open(); control_fd: listens.  0 or -errno. */
int nameserver_open(struct nameserver *s, int dir_fd, int control_fd, int lock_fd);
/* Until nobody is left to answer. */
int nameserver_run(struct nameserver *s);

/* For the others of this directory. */
int nameserver_add(struct nameserver *s, struct nameserver_source *src, uint32_t events);
int64_t nameserver_now_ms(void);

/* What to do with a question from address: an answer of *len bytes in out (DNS_OK); -EAGAIN: ask
 * the servers of *asker; -EBADMSG: nothing. */
int nameserver_decide(struct nameserver *s, const struct nameserver_network *net,
		      struct in_addr from, const uint8_t *p, size_t n, struct dns_question *q,
		      const struct attachment **asker, uint8_t out[DNS_ANSWER_MAX], size_t *len);

#endif

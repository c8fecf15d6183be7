/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream - questions that are passed on to the servers of who asked, by UDP.
 *
 * Each has a connected socket of its own, so a port of the kernel's choice, and a random id: an
 * answer must come from that server, with that id, to that question.  At most UPSTREAM_MAX at once
 * and UPSTREAM_PER_ASKER of one address; each server is given 2 s, all together 6.
 */
#ifndef NAMES_UPSTREAM_H
#define NAMES_UPSTREAM_H

#include "fmt/dns.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define UPSTREAM_MAX	   512
#define UPSTREAM_PER_ASKER 64
#define UPSTREAM_SERVERS   3

struct attachment;
struct nameserver;
struct nameserver_network;
struct upstream;

struct upstream *upstream_new(struct nameserver *s);

/* -EAGAIN: it is on its way.  DNS_OK: it cannot be, and out says so. */
int upstream_ask(struct upstream *u, struct nameserver_network *net, const struct sockaddr_in *from,
		 const uint8_t *p, size_t n, const struct dns_question *q,
		 const struct attachment *asker, uint8_t out[DNS_ANSWER_MAX], size_t *len);
/* The network goes. */
void upstream_forget(struct upstream *u, const struct nameserver_network *net);
int64_t upstream_due_ms(const struct upstream *u); /* INT64_MAX: never */
void upstream_expire(struct upstream *u);

/* A socket connected to a server given as text; type: SOCK_DGRAM or SOCK_STREAM.  -errno. */
int upstream_connect(const char *server, int type);

#endif

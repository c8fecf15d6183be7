/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnstcp - questions by TCP: answered like the others, or passed on to the first server of who
 * asked by TCP, which is how long answers travel (RFC 7766).
 *
 * One question at a time on a connection, DNSTCP_MAX connections, DNSTCP_PER_ASKER of one address,
 * each closed after 10 s without progress.
 */
#ifndef NAMES_DNSTCP_H
#define NAMES_DNSTCP_H

#include <stdint.h>

#define DNSTCP_MAX	 64
#define DNSTCP_PER_ASKER 16

struct dnstcp;
struct nameserver;
struct nameserver_network;

struct dnstcp *dnstcp_new(struct nameserver *s);
void dnstcp_accept(struct dnstcp *t, struct nameserver_network *net);
void dnstcp_forget(struct dnstcp *t, const struct nameserver_network *net);
int64_t dnstcp_due_ms(const struct dnstcp *t); /* INT64_MAX: never */
void dnstcp_expire(struct dnstcp *t);

#endif

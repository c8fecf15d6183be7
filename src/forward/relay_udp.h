/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_udp - datagrams that come to a bound socket go on to one address, and the answers back to
 * whom they answer: each sender has a socket of its own towards the instance, until he has been
 * silent for a while.
 */
#ifndef FORWARD_RELAY_UDP_H
#define FORWARD_RELAY_UDP_H

#include <netinet/in.h>

struct pump;

#define RELAY_UDP_SILENT_MS 60000

/* fd: a bound UDP socket, which is kept.  0 or -errno.  Sets the pump's tick. */
int relay_udp_add(struct pump *p, int fd, const struct sockaddr_in *to);

#endif

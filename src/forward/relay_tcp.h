/* SPDX-License-Identifier: Apache-2.0 */
/* relay_tcp - connections that come to a listening socket go on to one address. */
#ifndef FORWARD_RELAY_TCP_H
#define FORWARD_RELAY_TCP_H

#include <netinet/in.h>

struct pump;

/* fd: a bound TCP socket, which is kept.  0 or -errno. */
int relay_tcp_add(struct pump *p, int fd, const struct sockaddr_in *to);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - what stands behind -p: [[HOST-ADDRESS:][HOST-PORT]:]PORT[/tcp|udp|sctp], each port also
 * a range FIRST-LAST; an IPv6 host address in brackets.
 *
 * Invariants of a parsed value: 1 <= port_first <= port_last; host_first and host_last are both 0
 * (any free port for each) or 1 <= host_first <= host_last; the host range is as long as the
 * other one, or that one is a single port (then: the first free one of the host range).
 */
#ifndef FMT_PUBLISH_H
#define FMT_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum publish_proto { PUBLISH_TCP, PUBLISH_UDP, PUBLISH_SCTP, PUBLISH_PROTO_MAX_ };
extern const char *const publish_proto_names[]; /* "tcp", "udp", "sctp", NULL */

struct publish {
	uint8_t proto;	     /* enum publish_proto */
	uint8_t family;	     /* of host_ip: AF_INET, AF_INET6, 0: every address of the host */
	uint8_t host_ip[16]; /* network byte order */
	uint16_t host_first, host_last;
	uint16_t port_first, port_last; /* inside the instance */
};

/* Errors: ERR_USAGE naming s and what was expected. */
int publish_parse(const char *s, struct publish *out, struct err *e);

/* The same in full: "0.0.0.0:8080:80/tcp", "127.0.0.1:8000-8005:8000-8005/udp". */
void publish_write(const struct publish *p, struct buf *out);

#endif

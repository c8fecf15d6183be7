/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nlmsg - netlink messages: built onto a buf, sent, answered.  No library, so that the static guest
 * agent carries only this.  Used by sys/netlink.h (links, addresses, routes) and net/nft.h.
 *
 * A netlink socket belongs to the network namespace in which it was opened, for good: open it while
 * inside, go back, and go on talking to the other namespace.
 *
 * Building never fails by itself: a buf that is full is sticky and nlmsg_talk() says -EOVERFLOW.
 * Source: linux/netlink.h; Documentation/userspace-api/netlink/intro.rst.
 */
#ifndef SYS_NLMSG_H
#define SYS_NLMSG_H

#include "base/buf.h"

#include <linux/netlink.h>
#include <stdint.h>

#define NLMSG_BATCH_MAX (4U << 20) /* bytes of one transaction; what callers give to BUF_INIT */

struct nlmsg_sock {
	int fd;
	uint32_t seq;
};
#define NLMSG_SOCK_INIT ((struct nlmsg_sock){.fd = -1})

/* protocol: NETLINK_ROUTE, NETLINK_NETFILTER.  0 or -errno. */
int nlmsg_open(struct nlmsg_sock *s, int protocol);
void nlmsg_close(struct nlmsg_sock *s);
#define auto_nlmsg __attribute__((cleanup(nlmsg_close)))
/* The same, where the last close waits for a grace period of the kernel: a process of its own,
 * which holds nothing else and which nobody has to reap, does the waiting. */
void nlmsg_close_behind(struct nlmsg_sock *s);

/* Begin a message: header and the family's own header.  Returns its offset, for nlmsg_end(). */
size_t nlmsg_start(struct buf *b, uint16_t type, uint16_t flags, const void *header, size_t len);
void nlmsg_end(struct buf *b, size_t start);

void nlmsg_attr(struct buf *b, uint16_t type, const void *data, size_t len);
void nlmsg_str(struct buf *b, uint16_t type, const char *s); /* with its NUL */
void nlmsg_u8(struct buf *b, uint16_t type, uint8_t v);
void nlmsg_u16(struct buf *b, uint16_t type, uint16_t v);
void nlmsg_u32(struct buf *b, uint16_t type, uint32_t v);
void nlmsg_be32(struct buf *b, uint16_t type, uint32_t v);
size_t nlmsg_nest(struct buf *b, uint16_t type); /* sets NLA_F_NESTED */
void nlmsg_nest_end(struct buf *b, size_t start);

/* Send all messages of b in one piece and wait until the last one that was started with NLM_F_ACK
 * or NLM_F_DUMP is acknowledged or complete; there must be one.  each (may be NULL) sees every data
 * message; what it returns < 0 ends the walk and is returned.  0 or the first -errno the kernel
 * answered. */
typedef int nlmsg_each_fn(const struct nlmsghdr *m, void *arg);
int nlmsg_talk(struct nlmsg_sock *s, struct buf *b, nlmsg_each_fn *each, void *arg);

/* The family header of a message; its length is the caller's to check. */
const void *nlmsg_body(const struct nlmsghdr *m);

/* The attributes behind the family header of a message, up to max, borrowed: table[type] or NULL.
 * Checks every length against the message. */
void nlmsg_attrs(const struct nlmsghdr *m, size_t header, const struct nlattr **table,
		 uint16_t max);
void nlmsg_nested(const struct nlattr *a, const struct nlattr **table, uint16_t max);
const void *nlmsg_data(const struct nlattr *a);
size_t nlmsg_len(const struct nlattr *a);
/* 0 when absent or too short. */
uint32_t nlmsg_get_u32(const struct nlattr *a);
/* Copy a string attribute into dst (size bytes, always terminated). */
void nlmsg_get_str(const struct nlattr *a, char *dst, size_t size);

#endif

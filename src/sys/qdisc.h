/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qdisc - how fast a link sends, and how fast what comes in on it goes on.
 *
 * The kernel shapes what a device sends.  What comes in is redirected to an intermediate functional
 * block (ifb), a device whose sending is shaped before the packets go on from where they came, so
 * that the sender is slowed down and not only robbed of packets.  Sockets and results as in
 * sys/netlink.h; -EOPNOTSUPP or -ENOENT: the kernel has no such discipline, filter or device.
 * Source: linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h.
 */
#ifndef SYS_QDISC_H
#define SYS_QDISC_H

#include <stdint.h>

struct nlmsg_sock;

/* bytes a second at most, from now on, in place of another rate if there is one; more than what
 * can wait for a twentieth of a second is dropped. */
int qdisc_rate(struct nlmsg_sock *s, int index, uint64_t bytes);
/* As fast as can be.  No rate is success. */
int qdisc_no_rate(struct nlmsg_sock *s, int index);

/* The device for what comes in elsewhere; it is up. */
int qdisc_block_add(struct nlmsg_sock *s, const char *name);
/* What comes in on a link passes through the device block; done twice it is done once. */
int qdisc_redirect(struct nlmsg_sock *s, int index, int block);
int qdisc_no_redirect(struct nlmsg_sock *s, int index);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint - one instance on one network: its address, its record, its device, its elements.
 * net/attach.h is what others call; it makes and removes these in the order described there.
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include "base/arena.h"
#include "net/attach.h"
#include "net/attachment.h"
#include "net/network.h"
#include "sys/nlmsg.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/* What all endpoints of one call share; sockets of the namespace with the bridges. */
struct endpoint_work {
	const struct attach_request *q;
	struct arena *a;
	int talk; /* in a user's engine: to whom is on the host's network (aside.h); or -1 */
	int net_fd;
	struct nlmsg_sock route, nf;
};

struct endpoint {
	struct endpoint_work *w;
	const struct attach_endpoint *want;
	uint32_t slot;
	int bridge; /* link index; of a direct network its parent, with */
	uint8_t parent_mac[6];
	struct network net;
	struct attachment at;
	bool recorded; /* there is something to undo */
};

/* Opens net_fd and both sockets.  ERR_UNSUPPORTED no nftables. */
int endpoint_work_open(struct endpoint_work *w, struct err *e);
void endpoint_work_done(struct endpoint_work *w);

/* These two: the caller holds the lock.  The network's bridge is there afterwards. */
int endpoint_network(struct endpoint *p, struct err *e);
/* Address, MAC address, and with main the ports and the default route; then the record.  fds: as of
 * attachment_reserve().  After an error nothing is left. */
int endpoint_take(struct endpoint *p, bool main, size_t n_ports, int *fds, size_t *n_fds,
		  struct err *e);

/* Who answers names on it, if anybody is to; the caller holds the lock. */
int endpoint_names(const struct endpoint *p, struct err *e);

/* The card of a container: eth<slot> in the namespace ns, in which inner was opened, with address
 * and, for main, route. */
int endpoint_veth(struct endpoint *p, int ns, struct nlmsg_sock *inner, struct err *e);
/* Returns the tap's descriptor. */
int endpoint_tap(struct endpoint *p, struct err *e);
/* What the device needs beside, and the elements: from here on packets pass. */
int endpoint_plug(struct endpoint *p, struct err *e);
/* Wait until the device forwards. */
void endpoint_settle(struct endpoint *p);

void endpoint_describe(const struct endpoint *p, bool tap, struct plan_nic *out);

/* What the host knows of it beside. */
void endpoint_forget(struct nlmsg_sock *route, const struct attachment *at);
/* Device, elements, record.  The caller holds the lock. */
int endpoint_undo(struct endpoint_work *w, const struct attachment *at, struct err *e);

#endif

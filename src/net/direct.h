/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct - networks without a bridge: an instance's card rides on a device of the host (macvlan,
 * ipvlan), its parent, and is on the same wire as the host itself.
 *
 * Nothing of ours is between: no rules, no gateway, no published ports, no names; the kernel lets
 * such a card and the host not reach each other.  A network without a parent has a device of its
 * own that nothing leaves, called as a bridge would be and known by the same MAC address; such a
 * network is internal.
 */
#ifndef NET_DIRECT_H
#define NET_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct network;
struct networks;
struct nlmsg_sock;

bool direct_is(const struct network *n);
/* Whether the driver is one of these. */
bool direct_driver(const char *driver);

/* Driver, parent, mode and flag by themselves: ERR_USAGE, ERR_UNSUPPORTED. */
int direct_check(const struct network *n, struct err *e);
/* Beside the store's others: ERR_CONFLICT the parent is somebody's who shares it not. */
int direct_shares(const struct network *n, const struct networks *taken, struct err *e);

/* The parent is there and up, made when it is the network's own.  *index: of it; mac (may be NULL):
 * its address.  Errors: ERR_NOT_FOUND no such device; ERR_CONFLICT it is down, or not ours. */
int direct_up(const struct network *n, struct nlmsg_sock *route, int *index, uint8_t mac[6],
	      struct err *e);
/* Whether a card can be made: one is, and removed.  ERR_UNSUPPORTED, ERR_CONFLICT with why not. */
int direct_try(const struct network *n, struct nlmsg_sock *route, int parent, struct err *e);

struct direct_card {
	const char *name;
	int parent; /* index */
	int ns;	    /* descriptor of the namespace for it */
	const uint8_t *mac;
};
/* Returns 0; the card is down. */
int direct_add(const struct network *n, struct nlmsg_sock *route, const struct direct_card *c,
	       struct err *e);
/* A VM's: the descriptor for its frames.  The device is the caller's to remove. */
int direct_tap(const struct network *n, struct nlmsg_sock *route, const struct direct_card *c,
	       struct err *e);
/* Whether all cards have their parent's MAC address; whether routes lead to no neighbour (l3). */
bool direct_same_mac(const struct network *n);
bool direct_routed(const struct network *n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage - makes and removes the networks of a store that users define.
 *
 * Order of making: checks, record, bridge, rules.  Of removing: leases, bridge, record, rules.  So
 * there is never a bridge without a record, and a record without its bridge is a network: whoever
 * attaches makes the bridge, and loads the rules anew when they are not those of all records.  All
 * under the lock of run-root/net, in the user's network namespace where there is one (aside.h).
 */
#ifndef NET_MANAGE_H
#define NET_MANAGE_H

struct arena;
struct err;
struct network;
struct nlmsg_sock;

/* want: name, and subnet, gateway, range, bridge (NULL: chosen), aux, labels, options, mtu,
 * internal, no_icc as asked for; driver.  *out is what was made.  Errors: ERR_USAGE what cannot be
 * a network, ERR_EXISTS the name, ERR_CONFLICT a subnet or device is taken, ERR_UNSUPPORTED no nft,
 * not permitted.  Nothing is left then. */
int manage_create(int root_fd, int run_fd, const struct network *want, struct arena *a,
		  struct network *out, struct err *e);

/* By its name.  Errors: ERR_NOT_FOUND, ERR_DENIED it is the default one, ERR_CONFLICT an instance
 * is attached. */
int manage_remove(int root_fd, int run_fd, const char *name, struct err *e);

/* Rules for every network of the store, with the elements of every attachment, loaded unless they
 * are.  The caller holds the lock. */
int manage_rules(int root_fd, int net_fd, struct nlmsg_sock *nf, struct arena *a, struct err *e);

#endif

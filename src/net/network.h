/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - the networks of a store: their records and their bridges.
 *
 * root/networks/<name>.json is a struct network.  "bridge" is made when it is first used: the
 * bridge device is the first free one of caisson0, caisson1, ... and the subnet the first candidate
 * that overlaps no route of the host, so that two stores on one host never share either.  The name
 * of the default network's bridge also names the store's nftables tables.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "sys/netlink.h"

#include <stdint.h>

struct arena;
struct err;

#define NETWORK_DEFAULT "bridge"

struct network {
	const char *name;
	const char *id;	     /* 12 hex digits, random */
	const char *driver;  /* "bridge" */
	const char *bridge;  /* device name */
	const char *subnet;  /* "172.30.0.0/16" */
	const char *gateway; /* "172.30.0.1", the bridge's own address */
	int32_t mtu;	     /* 0: the default */
};

/* Read the record of a network, in the arena.  The default network is made when it is absent.
 * lock: run-root/net is locked by the caller.  Errors: ERR_NOT_FOUND, ERR_CORRUPT, ERR_CONFLICT no
 * free subnet or device. */
int network_find(int root_fd, const char *name, struct nlmsg_sock *route, struct arena *a,
		 struct network *out, struct err *e);

/* Make the bridge and its address unless they are there; turn on forwarding (net.ipv4.ip_forward).
 * *index: the bridge.  Errors: ERR_CONFLICT the device belongs to somebody else, or the subnet
 * overlaps a route of the host. */
int network_up(const struct network *n, struct nlmsg_sock *route, int *index, struct err *e);

/* Call each for every record; what it returns < 0 ends the walk. */
int network_each(int root_fd, struct arena *a, int (*each)(const struct network *, void *),
		 void *arg, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - the networks of a store: their records and their bridges.
 *
 * root/networks/<name>.json is a struct network.  "bridge" is made when it is first used: its index
 * is the first for which no device caisson<index> exists, its subnet the first candidate that
 * overlaps no route of the host, so that two stores on one host never share either.  The index
 * also names what all networks of the store share: the nftables tables caisson<index> and the
 * devices of instances, c<index>v..., which the tables know by this prefix.  The others are made
 * and removed by net/manage.h; their bridges are called c<index>n and eight digits of the id.
 *
 * A bridge is ours when its MAC address is the one made from the network's id: it is set in the
 * message that creates the device, so no crash leaves a bridge nobody owns.  It is up when
 * everything about it is done.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/arena.h"
#include "sys/netlink.h"

#include <stdint.h>

struct err;

#define NETWORK_DEFAULT	 "bridge"
#define NETWORK_NAME_MAX 64

struct network {
	const char *name;
	const char *id;	      /* 12 hex digits, random */
	const char *driver;   /* "bridge"; "macvlan", "ipvlan": net/direct.h */
	uint32_t index;	      /* of the store on this host */
	const char *bridge;   /* device name; of a direct one the device it rides on */
	const char *subnet;   /* "172.30.0.0/16" */
	const char *gateway;  /* "172.30.0.1": the bridge's own address */
	uint32_t mtu;	      /* 0: the default */
	const char *subnet6;  /* "fd12:3456:789a::/64"; NULL: IPv4 only */
	const char *gateway6; /* the bridge's own */
	const char *range;    /* part of the subnet that addresses are chosen from; NULL: all */
	struct strs aux;      /* "NAME=ADDRESS": never given out */
	struct strs labels;   /* "KEY=VALUE" */
	struct strs options;  /* "KEY=VALUE" as the user gave them */
	const char *parent;   /* direct: the host's device, NULL: one of its own */
	const char *mode;     /* direct: "bridge", "l3" ...; NULL: the driver's first */
	const char *flag;     /* ipvlan: "private", "vepa" */
	bool ipv6;	      /* asked for; in a record .subnet6 says so */
	bool internal;	      /* nothing leaves it, no default route */
	bool no_icc;	      /* instances of it do not reach each other */
	int64_t created_ns;   /* since the epoch; 0: not known */
};

struct networks {
	struct network *v;
	size_t n;
};

/* Letters, digits, '_', '.', '-', first a letter or digit. */
bool network_name_valid(const char *name);

/* Read the record of a network into the arena; the default network is made when it is absent.
 * The caller holds the lock of run-root/net.  Errors: ERR_USAGE malformed name, ERR_NOT_FOUND,
 * ERR_CORRUPT, ERR_CONFLICT no subnet or device name is free. */
int network_find(int root_fd, const char *name, struct nlmsg_sock *route, struct arena *a,
		 struct network *out, struct err *e);

/* Every record of the store, by name. */
int network_list(int root_fd, struct arena *a, struct networks *out, struct err *e);

/* Make the bridge unless it is there; turn on forwarding (net.ipv4.ip_forward).  *index: of the
 * bridge device.  Errors: ERR_CONFLICT the device is somebody else's, or the subnet overlaps a
 * route of the host; ERR_UNSUPPORTED not permitted. */
int network_up(const struct network *n, struct nlmsg_sock *route, int *index, struct err *e);

/* For net/manage.c.  Fill in id, and subnet, gateway and bridge where they are NULL; taken: records
 * whose subnets and bridges are not free either.  ERR_CONFLICT says which network or route is in
 * the way. */
int network_choose(struct network *n, const struct networks *taken, struct nlmsg_sock *route,
		   struct arena *a, struct err *e);
/* Of the bridge. */
void network_mac(const struct network *n, uint8_t mac[6]);
/* The IPv6 address that goes with an IPv4 address of the network: the same number of host.  false:
 * it is the gateway's, or set aside. */
bool network_address6(const struct network *n, const char *address, struct netlink_ip *out);
/* Whether this MAC address is the bridge's, or the one made from an address of the subnet. */
bool network_reserves_mac(const struct network *n, const uint8_t mac[6]);
int network_write(int root_fd, const struct network *n, struct err *e);
/* Remove the bridge, if it is there and ours, and then the record. */
int network_forget(int root_fd, const struct network *n, struct nlmsg_sock *route, struct err *e);

#endif

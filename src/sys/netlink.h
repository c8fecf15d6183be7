/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink - links, addresses, routes and neighbours over rtnetlink; tap devices over /dev/net/tun.
 *
 * Every function takes a socket of nlmsg_open(&s, NETLINK_ROUTE) and acts in the namespace in which
 * that socket was opened, whatever the caller's own is now.  The static guest agent uses this too.
 * 0 (or what is said) or -errno: -ENODEV no such link, -EEXIST there already, -EPERM.
 * Source: rtnetlink(7), linux/if_link.h.
 */
#ifndef SYS_NETLINK_H
#define SYS_NETLINK_H

#include "sys/nlmsg.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define NETLINK_ALIAS_MAX 128

struct netlink_link {
	int index;
	int master;	    /* 0: none */
	unsigned int flags; /* IFF_UP ... */
	uint32_t mtu;
	int port_state; /* of a bridge port: BR_STATE_FORWARDING 3 ...; -1: not one */
	uint8_t mac[6];
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "veth", "tun"; "" for hardware */
	char alias[NETLINK_ALIAS_MAX];
};

/* An address or prefix, in network byte order. */
struct netlink_ip {
	uint8_t family; /* AF_INET, AF_INET6, 0: none */
	uint8_t len;	/* prefix length */
	uint8_t addr[16];
};

/* "172.30.0.2/16", "fd00::2/64"; without a slash the whole length.  -EINVAL. */
int netlink_ip_parse(const char *s, struct netlink_ip *out);
/* "02:42:ac:1e:00:02".  -EINVAL. */
int netlink_mac_parse(const char *s, uint8_t mac[6]);

int netlink_link_get(struct nlmsg_sock *s, const char *name, struct netlink_link *out);
/* Every link; what each returns < 0 ends the walk and is returned. */
int netlink_link_each(struct nlmsg_sock *s, int (*each)(const struct netlink_link *, void *),
		      void *arg);
int netlink_link_up(struct nlmsg_sock *s, int index);
int netlink_link_down(struct nlmsg_sock *s, int index);
int netlink_link_del(struct nlmsg_sock *s, int index);
int netlink_link_mtu(struct nlmsg_sock *s, int index, uint32_t mtu);
int netlink_link_mac(struct nlmsg_sock *s, int index, const uint8_t mac[6]);
int netlink_link_alias(struct nlmsg_sock *s, int index, const char *alias);
int netlink_link_master(struct nlmsg_sock *s, int index, int master);
/* Move into the namespace of ns_fd, there called name (NULL: as before). */
int netlink_link_move(struct nlmsg_sock *s, int index, int ns_fd, const char *name);

/* A bridge without spanning tree, so that a port forwards at once.  It is
 * down.  mtu 0: the default. */
struct netlink_bridge {
	const char *name;
	const uint8_t *mac; /* fixed, else the bridge takes on the lowest of its ports' */
	uint32_t mtu;
};
int netlink_bridge_add(struct nlmsg_sock *s, const struct netlink_bridge *b);

/* Both ends of a veth at once: this end here, up, as a port of master; the peer in peer_ns, down.
 */
struct netlink_veth {
	const char *name;
	int master;   /* 0: none */
	uint32_t mtu; /* of both; 0: the default */
	int peer_ns;  /* descriptor */
	const char *peer_name;
	const uint8_t *peer_mac; /* NULL: random */
};
int netlink_veth_add(struct nlmsg_sock *s, const struct netlink_veth *v);

enum netlink_port {
	NETLINK_PORT_ISOLATED = 1, /* talks to ports that are not isolated only (Linux 4.18) */
	NETLINK_PORT_HAIRPIN = 2,
	NETLINK_PORT_NO_LEARNING = 4,
	NETLINK_PORT_GUARD = 8, /* spanning tree messages from this port are dropped */
};
/* Set exactly these on a bridge port. */
int netlink_port_set(struct nlmsg_sock *s, int index, unsigned int flags);

int netlink_addr_add(struct nlmsg_sock *s, int index, const struct netlink_ip *ip);
int netlink_addr_del(struct nlmsg_sock *s, int index, const struct netlink_ip *ip);
/* Every permanent address of global scope that a link has, of both families. */
int netlink_addr_each(struct nlmsg_sock *s, int index,
		      int (*each)(const struct netlink_ip *, void *), void *arg);
/* dst.family 0: the default route.  gateway.family 0: on the link itself. */
struct netlink_route {
	struct netlink_ip dst, gateway;
	int index;
};
int netlink_route_add(struct nlmsg_sock *s, const struct netlink_route *r);
int netlink_route_each(struct nlmsg_sock *s, int family,
		       int (*each)(const struct netlink_route *, void *), void *arg);
/* Whether the namespace forwards packets of this family between devices: 1 or 0.  The same as
 * reading net.ipv4.ip_forward, but in constant time: /proc/sys looks a name up among those of all
 * namespaces. */
int netlink_forwarding(struct nlmsg_sock *s, int family);
/* Up, without an IPv6 address of its own making. */
int netlink_link_up_ipv4(struct nlmsg_sock *s, int index);
/* A permanent neighbour: who has ip is at mac. */
int netlink_neigh_add(struct nlmsg_sock *s, int index, const struct netlink_ip *ip,
		      const uint8_t mac[6]);

int netlink_neigh_del(struct nlmsg_sock *s, int index, const struct netlink_ip *ip);

/* A tap device of this name in the caller's current namespace, with virtio-net headers as QEMU
 * wants them; it vanishes with the last copy of the returned descriptor.  -ENOENT no /dev/net/tun,
 * -EBUSY the name is taken. */
int netlink_tap_open(const char *name);

#endif

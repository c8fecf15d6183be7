/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upper - devices that ride on another one, its lower device: macvlan, macvtap and ipvlan; and a
 * lower device of which nothing leaves.
 *
 * Sockets, namespaces and results as in sys/netlink.h.  -EOPNOTSUPP: the kernel has no such
 * devices; -EBUSY: the lower one is a bridge's port or carries devices of another kind; -EINVAL:
 * the lower one cannot (loopback), or something rides on it already that shares it with nobody.
 * Source: linux/if_link.h; drivers/net/macvlan.c, ipvlan/ and tap.c of Linux 6.18.
 */
#ifndef SYS_UPPER_H
#define SYS_UPPER_H

#include <stdbool.h>
#include <stdint.h>

struct nlmsg_sock;

enum upper_kind { UPPER_MACVLAN, UPPER_MACVTAP, UPPER_IPVLAN, UPPER_KIND_MAX_ };

struct upper {
	int kind; /* enum upper_kind */
	const char *name;
	int lower;	    /* its index, where the socket is */
	int index;	    /* of the new device; 0: any */
	int ns;		    /* descriptor of the namespace it appears in; -1: where the socket is */
	const uint8_t *mac; /* NULL: the kernel's choice; ipvlan: the lower one's always */
	uint32_t mtu;	    /* 0: the lower one's */
	const char *mode;   /* macvlan, macvtap: "bridge" ...; ipvlan: "l2" ...; NULL: the first */
	const char *flag;   /* ipvlan: "bridge", "private", "vepa"; NULL: "bridge" */
};

/* Whether devices of this kind know the mode, or the flag. */
bool upper_mode_valid(int kind, const char *mode);
bool upper_flag_valid(const char *flag);

/* The device, which is down. */
int upper_add(struct nlmsg_sock *s, const struct upper *u);

/* A macvtap device where the socket is, which the caller is too, and the descriptor through which
 * its frames pass, as that of netlink_tap_open().  The device stays when that is closed.  -ENOENT:
 * /dev has no nodes of such devices. */
int upper_tap(struct nlmsg_sock *s, const struct upper *u);

/* A device to ride on which swallows what is sent: a dummy, or where the kernel has none an
 * intermediate functional block to which nothing is redirected.  It is down. */
int upper_nowhere(struct nlmsg_sock *s, const char *name, const uint8_t mac[6]);

#endif

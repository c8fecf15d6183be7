/* SPDX-License-Identifier: Apache-2.0 */
#include "net/direct.h"
#include "base/err.h"
#include "base/str.h"
#include "net/network.h"
#include "sys/netlink.h"
#include "sys/upper.h"
#include "sys/userns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool direct_driver(const char *driver)
{
	return streq(driver, "macvlan") || streq(driver, "ipvlan");
}

bool direct_is(const struct network *n)
{
	return direct_driver(n->driver);
}

static int kind(const struct network *n)
{
	return streq(n->driver, "ipvlan") ? UPPER_IPVLAN : UPPER_MACVLAN;
}

static bool alone(const struct network *n)
{
	return n->mode && streq(n->mode, "passthru");
}

bool direct_same_mac(const struct network *n)
{
	return kind(n) == UPPER_IPVLAN || alone(n);
}

bool direct_routed(const struct network *n)
{
	return kind(n) == UPPER_IPVLAN && n->mode && !streq(n->mode, "l2");
}

static int check_parent(const char *name, struct err *e)
{
	size_t len =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	size_t digits = name[0] == 'c' ? strspn(name + 1, "0123456789") : 0;

	if (!len || name[len] || len >= IFNAMSIZ || strchr(".-", name[0]))
		return err_set(e, ERR_USAGE, "--opt parent='%.60s' is no name of a device", name);
	/* Who rode on one of these would be behind the rules that are for it. */
	if (str_after(name, "caisson") || (digits && strchr("vnrt", name[1 + digits])))
		return err_set(e, ERR_USAGE,
			       "--opt parent=%s: this device is made here, for others", name);
	return 0;
}

int direct_check(const struct network *n, struct err *e)
{
	if (n->no_icc)
		return err_set(e, ERR_UNSUPPORTED,
			       "--opt icc=false: a %s network has no bridge that could keep "
			       "instances apart; %s",
			       n->driver,
			       kind(n) == UPPER_MACVLAN ? "use macvlan_mode=private"
							: "use ipvlan_flag=private");
	if (n->mode && !upper_mode_valid(kind(n), n->mode))
		return err_set(e, ERR_USAGE, "--opt %s_mode=%.40s: want %s", n->driver, n->mode,
			       kind(n) == UPPER_IPVLAN ? "l2, l3 or l3s"
						       : "bridge, private, vepa or passthru");
	if (n->flag && (kind(n) != UPPER_IPVLAN || !upper_flag_valid(n->flag)))
		return err_set(e, ERR_USAGE,
			       "--opt ipvlan_flag=%.40s: want bridge, private or vepa", n->flag);
	if (n->parent && n->internal)
		return err_set(e, ERR_USAGE,
			       "--internal with --opt parent=%.40s: whoever is on that device is "
			       "reached; leave one of them out",
			       n->parent);
	return n->parent ? check_parent(n->parent, e) : 0;
}

static bool same(const char *a, const char *b, const char *preset)
{
	return streq(a ? a : preset, b ? b : preset);
}

int direct_shares(const struct network *n, const struct networks *taken, struct err *e)
{
	for (size_t i = 0; n->parent && i < taken->n; i++) {
		const struct network *o = &taken->v[i];

		if (!direct_is(o) && streq(o->bridge, n->parent))
			return err_set(e, ERR_CONFLICT,
				       "network '%s': device '%s' is the bridge of '%s'", n->name,
				       n->parent, o->name);
		if (!direct_is(o) || !o->parent || !streq(o->parent, n->parent))
			continue;
		if (!streq(o->driver, n->driver) || alone(n) || alone(o) ||
		    (kind(n) == UPPER_IPVLAN &&
		     (!same(o->mode, n->mode, "l2") || !same(o->flag, n->flag, "bridge"))))
			return err_set(e, ERR_CONFLICT,
				       "network '%s': device '%s' carries network '%s' (%s%s%s), "
				       "which cannot share it with this one",
				       n->name, n->parent, o->name, o->driver, o->mode ? " " : "",
				       o->mode ? o->mode : "");
	}
	return 0;
}

/* ---- the parent ---- */

static int failed(const struct network *n, int r, const char *what, struct err *e)
{
	if (r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, "network '%s': this kernel has no %s devices",
			       n->name, n->driver);
	if (r == -EPERM)
		return err_set(e, ERR_UNSUPPORTED, "network '%s': %s devices need root", n->name,
			       n->driver);
	if (r == -EBUSY || r == -EINVAL)
		return err_set(e, ERR_CONFLICT,
			       "network '%s': device '%s' takes no (more) %s device: it is a port "
			       "of a bridge, carries others, or cannot",
			       n->name, n->bridge, n->driver);
	errno = -r;
	return err_sys(e, "network '%s': %s '%s'", n->name, what, n->bridge);
}

static int own_parent(const struct network *n, struct nlmsg_sock *route, struct netlink_link *l,
		      struct err *e)
{
	uint8_t mac[6];
	int r = netlink_link_get(route, n->bridge, l);

	network_mac(n, mac);
	if (r == -ENODEV) {
		r = upper_nowhere(route, n->bridge, mac);
		if (r == -EOPNOTSUPP)
			return err_set(e, ERR_UNSUPPORTED,
				       "network '%s': this kernel has neither dummy nor ifb "
				       "devices: name a --opt parent=",
				       n->name);
		if (r == 0)
			r = netlink_link_get(route, n->bridge, l);
	}
	if (r < 0)
		return failed(n, r, "make device", e);
	if (memcmp(mac, l->mac, sizeof(mac)) != 0)
		return err_set(e, ERR_CONFLICT, "network '%s': device '%s' exists and is not ours",
			       n->name, n->bridge);
	if (!(l->flags & IFF_UP))
		r = netlink_link_up(route, l->index);
	return r < 0 ? failed(n, r, "device", e) : 0;
}

static int hosts_parent(const struct network *n, struct nlmsg_sock *route, struct netlink_link *l,
			struct err *e)
{
	int r = netlink_link_get(route, n->parent, l);

	if (r == -ENODEV)
		return err_set(e, ERR_NOT_FOUND, "network '%s': there is no device '%s' %s",
			       n->name, n->parent,
			       userns_inside() ? "in an ordinary user's network (docs/rootless.md)"
					       : "on this host");
	if (r < 0)
		return failed(n, r, "device", e);
	/* It is the operator's: not for us to switch on. */
	if (!(l->flags & IFF_UP))
		return err_set(e, ERR_CONFLICT,
			       "network '%s': device '%s' is down: ip link set %s up", n->name,
			       n->parent, n->parent);
	return 0;
}

int direct_up(const struct network *n, struct nlmsg_sock *route, int *index, uint8_t mac[6],
	      struct err *e)
{
	struct netlink_link l;
	int r = n->parent ? hosts_parent(n, route, &l, e) : own_parent(n, route, &l, e);

	if (r < 0)
		return r;
	*index = l.index;
	if (mac)
		memcpy(mac, l.mac, sizeof(l.mac));
	return 0;
}

/* ---- cards ---- */

static struct upper card(const struct network *n, const struct direct_card *c)
{
	return (struct upper){.kind = kind(n),
			      .name = c->name,
			      .lower = c->parent,
			      .ns = c->ns,
			      .mac = direct_same_mac(n) ? NULL : c->mac,
			      .mtu = n->mtu,
			      .mode = n->mode,
			      .flag = n->flag};
}

int direct_try(const struct network *n, struct nlmsg_sock *route, int parent, struct err *e)
{
	char name[IFNAMSIZ];
	struct direct_card c = {.name = name, .parent = parent, .ns = -1};
	struct netlink_link l;
	struct upper u;
	int r;

	snprintf(name, sizeof(name), "c%ut%.8s", n->index, n->id);
	u = card(n, &c);
	r = upper_add(route, &u);
	if (r == -EINVAL && n->mtu)
		return err_set(e, ERR_USAGE, "network '%s': mtu %u: device '%s' carries less",
			       n->name, n->mtu, n->bridge);
	if (r < 0)
		return failed(n, r, "try device", e);
	r = netlink_link_get(route, name, &l);
	if (r == 0)
		r = netlink_link_del(route, l.index);
	return r < 0 ? failed(n, r, "try device", e) : 0;
}

int direct_add(const struct network *n, struct nlmsg_sock *route, const struct direct_card *c,
	       struct err *e)
{
	struct upper u = card(n, c);
	int r = upper_add(route, &u);

	return r < 0 ? failed(n, r, "a card on device", e) : 0;
}

int direct_tap(const struct network *n, struct nlmsg_sock *route, const struct direct_card *c,
	       struct err *e)
{
	struct upper u = card(n, c);
	struct netlink_link old;
	int r;

	if (kind(n) == UPPER_IPVLAN)
		return err_set(e, ERR_UNSUPPORTED,
			       "network '%s': a VM's card has a MAC address of its own, which an "
			       "ipvlan network cannot carry; use a macvlan one",
			       n->name);
	r = upper_tap(route, &u);
	/* Left by a run that was killed; the name is made of the instance's id. */
	if (r == -EEXIST && netlink_link_get(route, c->name, &old) == 0) {
		(void)netlink_link_del(route, old.index);
		r = upper_tap(route, &u);
	}
	if (r == -ENOENT || r == -EACCES)
		return err_set(e, ERR_UNSUPPORTED,
			       "network '%s': a VM's card on it needs /dev/tap*, which this host "
			       "does not %s",
			       n->name, r == -ENOENT ? "make (devtmpfs)" : "let this user open");
	return r < 0 ? failed(n, r, "a VM's card on device", e) : r;
}

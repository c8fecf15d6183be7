/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/upper.h"
#include "base/auto.h"
#include "base/str.h"
#include "sys/fd.h"
#include "sys/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#define ONE_MAX	     4096
#define TAP_ATTEMPTS 8

static const char *const kinds[] = {"macvlan", "macvtap", "ipvlan"};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == UPPER_KIND_MAX_, "a name for each kind");

struct word {
	const char *name;
	uint32_t value;
};
static const struct word macvlan_modes[] = {{"bridge", MACVLAN_MODE_BRIDGE},
					    {"private", MACVLAN_MODE_PRIVATE},
					    {"vepa", MACVLAN_MODE_VEPA},
					    {"passthru", MACVLAN_MODE_PASSTHRU},
					    {NULL, 0}};
static const struct word ipvlan_modes[] = {
    {"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {NULL, 0}};
static const struct word ipvlan_flags[] = {
    {"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}, {NULL, 0}};

/* NULL: the first. */
static const struct word *find(const struct word *w, const char *name)
{
	for (; w->name; w++)
		if (!name || streq(w->name, name))
			return w;
	return NULL;
}

static const struct word *modes(int kind)
{
	return kind == UPPER_IPVLAN ? ipvlan_modes : macvlan_modes;
}

bool upper_mode_valid(int kind, const char *mode)
{
	return find(modes(kind), mode) != NULL;
}

bool upper_flag_valid(const char *flag)
{
	return find(ipvlan_flags, flag) != NULL;
}

static size_t create(struct buf *b, const char *name, int index)
{
	struct ifinfomsg i = {.ifi_index = index};
	size_t m =
	    nlmsg_start(b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i));

	nlmsg_str(b, IFLA_IFNAME, name);
	return m;
}

int upper_add(struct nlmsg_sock *s, const struct upper *u)
{
	const struct word *mode = find(modes(u->kind), u->mode),
			  *flag = find(ipvlan_flags, u->flag);
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m, info, data;

	if (!mode || !flag || strlen(u->name) >= IFNAMSIZ)
		return -EINVAL;
	m = create(&b, u->name, u->index);
	nlmsg_u32(&b, IFLA_LINK, (uint32_t)u->lower);
	if (u->ns >= 0)
		nlmsg_u32(&b, IFLA_NET_NS_FD, (uint32_t)u->ns);
	if (u->mac && u->kind != UPPER_IPVLAN)
		nlmsg_attr(&b, IFLA_ADDRESS, u->mac, 6);
	if (u->mtu)
		nlmsg_u32(&b, IFLA_MTU, u->mtu);
	info = nlmsg_nest(&b, IFLA_LINKINFO);
	nlmsg_str(&b, IFLA_INFO_KIND, kinds[u->kind]);
	data = nlmsg_nest(&b, IFLA_INFO_DATA);
	if (u->kind == UPPER_IPVLAN) {
		nlmsg_u16(&b, IFLA_IPVLAN_MODE, (uint16_t)mode->value);
		nlmsg_u16(&b, IFLA_IPVLAN_FLAGS, (uint16_t)flag->value);
	} else {
		nlmsg_u32(&b, IFLA_MACVLAN_MODE, mode->value);
	}
	nlmsg_nest_end(&b, data);
	nlmsg_nest_end(&b, info);
	nlmsg_end(&b, m);
	return nlmsg_talk(s, &b, NULL, NULL);
}

/* The node of a device is called by its index, but indexes are counted in each namespace and names
 * in /dev are not: only the descriptor tells whose it is. */
static int tap_open(int index, const char *name)
{
	auto_fd int fd = -1;
	struct ifreq ifr = {0}, got = {0};
	char path[32];

	snprintf(path, sizeof(path), "/dev/tap%d", index);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNGETIFF, &got) < 0)
		return -errno;
	if (strncmp(got.ifr_name, name, IFNAMSIZ) != 0)
		return -EBUSY;
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	return take_fd(&fd);
}

int upper_tap(struct nlmsg_sock *s, const struct upper *u)
{
	struct upper one = *u;
	int r = -EBUSY;

	one.kind = UPPER_MACVTAP;
	one.ns = -1;
	for (int i = 0; r == -EBUSY && i < TAP_ATTEMPTS; i++) {
		struct netlink_link l = {0};
		uint32_t number;

		r = upper_add(s, &one);
		if (r < 0)
			return r;
		r = netlink_link_get(s, one.name, &l);
		if (r == 0)
			r = tap_open(l.index, one.name);
		if (r >= 0)
			return r;
		if (l.index)
			(void)netlink_link_del(s, l.index);
		/* Another namespace has the name in /dev: a number that none has counted up to. */
		if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
			return -errno;
		one.index = (int)(1000000 + number % 1000000000);
	}
	return r;
}

int upper_nowhere(struct nlmsg_sock *s, const char *name, const uint8_t mac[6])
{
	static const char *const tries[] = {"dummy", "ifb"};
	int r = -EOPNOTSUPP;

	for (size_t i = 0; r == -EOPNOTSUPP && i < sizeof(tries) / sizeof(tries[0]); i++) {
		auto_buf struct buf b = BUF_INIT(ONE_MAX);
		size_t m = create(&b, name, 0), info;

		nlmsg_attr(&b, IFLA_ADDRESS, mac, 6);
		info = nlmsg_nest(&b, IFLA_LINKINFO);
		nlmsg_str(&b, IFLA_INFO_KIND, tries[i]);
		nlmsg_nest_end(&b, info);
		nlmsg_end(&b, m);
		r = nlmsg_talk(s, &b, NULL, NULL);
	}
	return r;
}

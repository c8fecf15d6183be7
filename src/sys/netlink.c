/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netlink.h"
#include "base/auto.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define ONE_MAX 4096 /* bytes of a single request */

static size_t ip_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

int netlink_ip_parse(const char *s, struct netlink_ip *out)
{
	char text[INET6_ADDRSTRLEN];
	struct netlink_ip ip = {0};
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	unsigned long len;
	char *end;

	if (n == 0 || n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	ip.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ip.family, text, ip.addr) != 1)
		return -EINVAL;
	len = ip_size(ip.family) * 8;
	if (slash) {
		unsigned long max = len;

		if (slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		len = strtoul(slash + 1, &end, 10);
		if (*end || len > max)
			return -EINVAL;
	}
	ip.len = (uint8_t)len;
	*out = ip;
	return 0;
}

int netlink_mac_parse(const char *s, uint8_t mac[6])
{
	unsigned int v[6];
	int n = 0;

	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &n) !=
		6 ||
	    n != 17 || s[n])
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)v[i];
	return 0;
}

/* ---- links ---- */

static int link_read(const struct nlmsghdr *m, struct netlink_link *l)
{
	const struct nlattr *a[IFLA_IFALIAS + 1], *info[IFLA_INFO_SLAVE_DATA + 1];
	const struct nlattr *port[IFLA_BRPORT_STATE + 1];
	const struct ifinfomsg *i = nlmsg_body(m);

	if (m->nlmsg_type != RTM_NEWLINK || m->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return -EBADMSG;
	nlmsg_attrs(m, sizeof(*i), a, IFLA_IFALIAS);
	*l = (struct netlink_link){
	    .index = i->ifi_index,
	    .flags = i->ifi_flags,
	    .master = (int)nlmsg_get_u32(a[IFLA_MASTER]),
	    .mtu = nlmsg_get_u32(a[IFLA_MTU]),
	    .port_state = -1,
	};
	nlmsg_get_str(a[IFLA_IFNAME], l->name, sizeof(l->name));
	nlmsg_get_str(a[IFLA_IFALIAS], l->alias, sizeof(l->alias));
	if (nlmsg_len(a[IFLA_ADDRESS]) == sizeof(l->mac))
		memcpy(l->mac, nlmsg_data(a[IFLA_ADDRESS]), sizeof(l->mac));
	if (a[IFLA_LINKINFO]) {
		char master[sizeof(l->kind)] = "";

		nlmsg_nested(a[IFLA_LINKINFO], info, IFLA_INFO_SLAVE_DATA);
		nlmsg_get_str(info[IFLA_INFO_KIND], l->kind, sizeof(l->kind));
		nlmsg_get_str(info[IFLA_INFO_SLAVE_KIND], master, sizeof(master));
		nlmsg_nested(info[IFLA_INFO_SLAVE_DATA], port, IFLA_BRPORT_STATE);
		if (streq(master, "bridge") && nlmsg_len(port[IFLA_BRPORT_STATE]) == 1)
			l->port_state = *(const uint8_t *)nlmsg_data(port[IFLA_BRPORT_STATE]);
	}
	return 0;
}

static int link_one(const struct nlmsghdr *m, void *arg)
{
	return link_read(m, arg);
}

int netlink_link_get(struct nlmsg_sock *s, const char *name, struct netlink_link *out)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	struct netlink_link l = {0};
	size_t m = nlmsg_start(&b, RTM_GETLINK, NLM_F_ACK, &i, sizeof(i));
	int r;

	if (strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	nlmsg_str(&b, IFLA_IFNAME, name);
	nlmsg_end(&b, m);
	r = nlmsg_talk(s, &b, link_one, &l);
	if (r < 0)
		return r;
	*out = l;
	return 0;
}

struct link_walk {
	int (*each)(const struct netlink_link *, void *);
	void *arg;
};

static int link_step(const struct nlmsghdr *m, void *arg)
{
	const struct link_walk *w = arg;
	struct netlink_link l;
	int r = link_read(m, &l);

	return r < 0 ? r : w->each(&l, w->arg);
}

int netlink_link_each(struct nlmsg_sock *s, int (*each)(const struct netlink_link *, void *),
		      void *arg)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	struct link_walk w = {each, arg};
	size_t m = nlmsg_start(&b, RTM_GETLINK, NLM_F_DUMP, &i, sizeof(i));

	nlmsg_end(&b, m);
	return nlmsg_talk(s, &b, link_step, &w);
}

static size_t change(struct buf *b, uint16_t type, int index)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = index};

	return nlmsg_start(b, type, NLM_F_ACK, &i, sizeof(i));
}

static int finish(struct nlmsg_sock *s, struct buf *b, size_t start)
{
	nlmsg_end(b, start);
	return nlmsg_talk(s, b, NULL, NULL);
}

static int link_flags(struct nlmsg_sock *s, int index, unsigned int flags)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg i = {.ifi_index = index, .ifi_flags = flags, .ifi_change = IFF_UP};
	size_t m = nlmsg_start(&b, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i));

	return finish(s, &b, m);
}

int netlink_link_up(struct nlmsg_sock *s, int index)
{
	return link_flags(s, index, IFF_UP);
}

int netlink_link_up_ipv4(struct nlmsg_sock *s, int index)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg i = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	size_t m = nlmsg_start(&b, RTM_NEWLINK, NLM_F_ACK, &i, sizeof(i));
	size_t spec = nlmsg_nest(&b, IFLA_AF_SPEC), inet6 = nlmsg_nest(&b, AF_INET6);
	int r;

	nlmsg_u8(&b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nlmsg_nest_end(&b, inet6);
	nlmsg_nest_end(&b, spec);
	r = finish(s, &b, m);
	/* A kernel without IPv6 does not know the family. */
	return r == -EAFNOSUPPORT || r == -EINVAL ? netlink_link_up(s, index) : r;
}

int netlink_link_down(struct nlmsg_sock *s, int index)
{
	return link_flags(s, index, 0);
}

int netlink_link_del(struct nlmsg_sock *s, int index)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = change(&b, RTM_DELLINK, index);

	return finish(s, &b, m);
}

int netlink_link_mtu(struct nlmsg_sock *s, int index, uint32_t mtu)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = change(&b, RTM_NEWLINK, index);

	nlmsg_u32(&b, IFLA_MTU, mtu);
	return finish(s, &b, m);
}

int netlink_link_mac(struct nlmsg_sock *s, int index, const uint8_t mac[6])
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = change(&b, RTM_NEWLINK, index);

	nlmsg_attr(&b, IFLA_ADDRESS, mac, 6);
	return finish(s, &b, m);
}

int netlink_link_alias(struct nlmsg_sock *s, int index, const char *alias)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = change(&b, RTM_NEWLINK, index);

	nlmsg_attr(&b, IFLA_IFALIAS, alias, strlen(alias));
	return finish(s, &b, m);
}

int netlink_link_master(struct nlmsg_sock *s, int index, int master)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = change(&b, RTM_NEWLINK, index);

	nlmsg_u32(&b, IFLA_MASTER, (uint32_t)master);
	return finish(s, &b, m);
}

int netlink_link_move(struct nlmsg_sock *s, int index, int ns_fd, const char *name)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = change(&b, RTM_NEWLINK, index);

	nlmsg_u32(&b, IFLA_NET_NS_FD, (uint32_t)ns_fd);
	if (name)
		nlmsg_str(&b, IFLA_IFNAME, name);
	return finish(s, &b, m);
}

static size_t create(struct buf *b, unsigned int flags)
{
	struct ifinfomsg i = {.ifi_flags = flags, .ifi_change = IFF_UP};

	return nlmsg_start(b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i));
}

int netlink_bridge_add(struct nlmsg_sock *s, const struct netlink_bridge *br)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = create(&b, 0), info, data;

	nlmsg_str(&b, IFLA_IFNAME, br->name);
	if (br->mac)
		nlmsg_attr(&b, IFLA_ADDRESS, br->mac, 6);
	if (br->mtu)
		nlmsg_u32(&b, IFLA_MTU, br->mtu);
	info = nlmsg_nest(&b, IFLA_LINKINFO);
	nlmsg_str(&b, IFLA_INFO_KIND, "bridge");
	data = nlmsg_nest(&b, IFLA_INFO_DATA);
	nlmsg_u32(&b, IFLA_BR_STP_STATE, 0);
	nlmsg_u32(&b, IFLA_BR_FORWARD_DELAY, 0);
	nlmsg_nest_end(&b, data);
	nlmsg_nest_end(&b, info);
	return finish(s, &b, m);
}

int netlink_veth_add(struct nlmsg_sock *s, const struct netlink_veth *v)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg peer = {0}; /* cannot come up before both ends exist: -ENOTCONN */
	size_t m = create(&b, IFF_UP), info, data, other;

	nlmsg_str(&b, IFLA_IFNAME, v->name);
	if (v->mtu)
		nlmsg_u32(&b, IFLA_MTU, v->mtu);
	if (v->master)
		nlmsg_u32(&b, IFLA_MASTER, (uint32_t)v->master);
	info = nlmsg_nest(&b, IFLA_LINKINFO);
	nlmsg_str(&b, IFLA_INFO_KIND, "veth");
	data = nlmsg_nest(&b, IFLA_INFO_DATA);
	other = nlmsg_nest(&b, VETH_INFO_PEER);
	buf_add(&b, &peer, sizeof(peer));
	nlmsg_str(&b, IFLA_IFNAME, v->peer_name);
	nlmsg_u32(&b, IFLA_NET_NS_FD, (uint32_t)v->peer_ns);
	if (v->mtu)
		nlmsg_u32(&b, IFLA_MTU, v->mtu);
	if (v->peer_mac)
		nlmsg_attr(&b, IFLA_ADDRESS, v->peer_mac, 6);
	nlmsg_nest_end(&b, other);
	nlmsg_nest_end(&b, data);
	nlmsg_nest_end(&b, info);
	return finish(s, &b, m);
}

int netlink_port_set(struct nlmsg_sock *s, int index, unsigned int flags)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg i = {.ifi_family = AF_BRIDGE, .ifi_index = index};
	size_t m = nlmsg_start(&b, RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));
	size_t port = nlmsg_nest(&b, IFLA_PROTINFO);

	nlmsg_u8(&b, IFLA_BRPORT_ISOLATED, !!(flags & NETLINK_PORT_ISOLATED));
	nlmsg_u8(&b, IFLA_BRPORT_MODE, !!(flags & NETLINK_PORT_HAIRPIN));
	nlmsg_u8(&b, IFLA_BRPORT_LEARNING, !(flags & NETLINK_PORT_NO_LEARNING));
	nlmsg_u8(&b, IFLA_BRPORT_GUARD, !!(flags & NETLINK_PORT_GUARD));
	nlmsg_nest_end(&b, port);
	return finish(s, &b, m);
}

/* ---- addresses, routes, neighbours ---- */

int netlink_addr_add(struct nlmsg_sock *s, int index, const struct netlink_ip *ip)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifaddrmsg i = {
	    .ifa_family = ip->family, .ifa_prefixlen = ip->len, .ifa_index = (uint32_t)index};
	size_t n = ip_size(ip->family), m;

	if (ip->family == AF_INET6)
		i.ifa_flags = IFA_F_NODAD; /* ours to give: usable at once */
	m = nlmsg_start(&b, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i));
	nlmsg_attr(&b, IFA_LOCAL, ip->addr, n);
	nlmsg_attr(&b, IFA_ADDRESS, ip->addr, n);
	if (ip->family == AF_INET && ip->len < 31) {
		uint8_t last[4];

		for (unsigned int k = 0; k < 4; k++) {
			unsigned int host = ip->len >= 8 * (k + 1) ? 0
					    : ip->len <= 8 * k	   ? 8
								   : 8 * (k + 1) - ip->len;

			last[k] = (uint8_t)(ip->addr[k] | ((1U << host) - 1));
		}
		nlmsg_attr(&b, IFA_BROADCAST, last, n);
	}
	return finish(s, &b, m);
}

int netlink_addr_del(struct nlmsg_sock *s, int index, const struct netlink_ip *ip)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifaddrmsg i = {
	    .ifa_family = ip->family, .ifa_prefixlen = ip->len, .ifa_index = (uint32_t)index};
	size_t m = nlmsg_start(&b, RTM_DELADDR, NLM_F_ACK, &i, sizeof(i));

	nlmsg_attr(&b, IFA_LOCAL, ip->addr, ip_size(ip->family));
	return finish(s, &b, m);
}

int netlink_route_add(struct nlmsg_sock *s, const struct netlink_route *r)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	uint8_t family = r->dst.family ? r->dst.family : r->gateway.family;
	struct rtmsg i = {
	    .rtm_family = family,
	    .rtm_dst_len = r->dst.family ? r->dst.len : 0,
	    .rtm_table = RT_TABLE_MAIN,
	    .rtm_protocol = RTPROT_BOOT,
	    .rtm_scope = r->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	    .rtm_type = RTN_UNICAST,
	};
	size_t m =
	    nlmsg_start(&b, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i));

	if (r->dst.family)
		nlmsg_attr(&b, RTA_DST, r->dst.addr, ip_size(family));
	if (r->gateway.family)
		nlmsg_attr(&b, RTA_GATEWAY, r->gateway.addr, ip_size(family));
	if (r->index)
		nlmsg_u32(&b, RTA_OIF, (uint32_t)r->index);
	return finish(s, &b, m);
}

struct route_walk {
	int (*each)(const struct netlink_route *, void *);
	void *arg;
};

static void ip_read(const struct nlattr *a, uint8_t family, uint8_t len, struct netlink_ip *ip)
{
	size_t n = ip_size(family);

	if (nlmsg_len(a) != n)
		return;
	ip->family = family;
	ip->len = len;
	memcpy(ip->addr, nlmsg_data(a), n);
}

struct addr_walk {
	int index;
	int (*each)(const struct netlink_ip *, void *);
	void *arg;
};

static int addr_step(const struct nlmsghdr *m, void *arg)
{
	const struct addr_walk *w = arg;
	const struct nlattr *a[IFA_FLAGS + 1];
	const struct ifaddrmsg *i = nlmsg_body(m);
	struct netlink_ip ip = {0};
	uint32_t flags;

	if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return -EBADMSG;
	nlmsg_attrs(m, sizeof(*i), a, IFA_FLAGS);
	flags = a[IFA_FLAGS] ? nlmsg_get_u32(a[IFA_FLAGS]) : i->ifa_flags;
	if ((int)i->ifa_index != w->index || i->ifa_scope != RT_SCOPE_UNIVERSE ||
	    !(flags & IFA_F_PERMANENT))
		return 0;
	/* On a link with a peer, IFA_ADDRESS is the peer's. */
	ip_read(a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], i->ifa_family, i->ifa_prefixlen, &ip);
	return ip.family ? w->each(&ip, w->arg) : 0;
}

int netlink_addr_each(struct nlmsg_sock *s, int index,
		      int (*each)(const struct netlink_ip *, void *), void *arg)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifaddrmsg i = {.ifa_family = AF_UNSPEC};
	struct addr_walk w = {index, each, arg};
	size_t m = nlmsg_start(&b, RTM_GETADDR, NLM_F_DUMP, &i, sizeof(i));

	nlmsg_end(&b, m);
	return nlmsg_talk(s, &b, addr_step, &w);
}

static int route_step(const struct nlmsghdr *m, void *arg)
{
	const struct route_walk *w = arg;
	const struct nlattr *a[RTA_TABLE + 1];
	const struct rtmsg *i = nlmsg_body(m);
	struct netlink_route route = {0};

	if (m->nlmsg_type != RTM_NEWROUTE || m->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return -EBADMSG;
	nlmsg_attrs(m, sizeof(*i), a, RTA_TABLE);
	ip_read(a[RTA_DST], i->rtm_family, i->rtm_dst_len, &route.dst);
	ip_read(a[RTA_GATEWAY], i->rtm_family, (uint8_t)(ip_size(i->rtm_family) * 8),
		&route.gateway);
	route.index = (int)nlmsg_get_u32(a[RTA_OIF]);
	return w->each(&route, w->arg);
}

int netlink_route_each(struct nlmsg_sock *s, int family,
		       int (*each)(const struct netlink_route *, void *), void *arg)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct rtmsg i = {.rtm_family = (uint8_t)family};
	struct route_walk w = {each, arg};
	size_t m = nlmsg_start(&b, RTM_GETROUTE, NLM_F_DUMP, &i, sizeof(i));

	nlmsg_end(&b, m);
	return nlmsg_talk(s, &b, route_step, &w);
}

static int forwarding_one(const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *a[NETCONFA_FORWARDING + 1];
	int *on = arg;

	if (m->nlmsg_type != RTM_NEWNETCONF)
		return -EBADMSG;
	nlmsg_attrs(m, sizeof(struct netconfmsg), a, NETCONFA_FORWARDING);
	*on = nlmsg_get_u32(a[NETCONFA_FORWARDING]) != 0;
	return 0;
}

int netlink_forwarding(struct nlmsg_sock *s, int family)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct netconfmsg i = {.ncm_family = (uint8_t)family};
	size_t m = nlmsg_start(&b, RTM_GETNETCONF, NLM_F_ACK, &i, sizeof(i));
	int on = 0, r;

	nlmsg_u32(&b, NETCONFA_IFINDEX, (uint32_t)NETCONFA_IFINDEX_ALL);
	nlmsg_end(&b, m);
	r = nlmsg_talk(s, &b, forwarding_one, &on);
	return r < 0 ? r : on;
}

int netlink_neigh_add(struct nlmsg_sock *s, int index, const struct netlink_ip *ip,
		      const uint8_t mac[6])
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ndmsg i = {
	    .ndm_family = ip->family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
	size_t m =
	    nlmsg_start(&b, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &i, sizeof(i));

	nlmsg_attr(&b, NDA_DST, ip->addr, ip_size(ip->family));
	nlmsg_attr(&b, NDA_LLADDR, mac, 6);
	return finish(s, &b, m);
}

int netlink_neigh_del(struct nlmsg_sock *s, int index, const struct netlink_ip *ip)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ndmsg i = {.ndm_family = ip->family, .ndm_ifindex = index};
	size_t m = nlmsg_start(&b, RTM_DELNEIGH, NLM_F_ACK, &i, sizeof(i));

	nlmsg_attr(&b, NDA_DST, ip->addr, ip_size(ip->family));
	return finish(s, &b, m);
}

/* ---- tap ---- */

int netlink_tap_open(const char *name)
{
	auto_fd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr = {0};

	if (fd < 0)
		return -errno;
	if (strlen(name) >= IFNAMSIZ)
		return -EINVAL;
	memcpy(ifr.ifr_name, name, strlen(name));
	/* IFF_TUN_EXCL: never join a device that somebody else made under this name. */
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	return take_fd(&fd);
}

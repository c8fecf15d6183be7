/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocivmnet.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)
#define MESSAGE_MAX    4096

struct links {
	struct netlink_link v[OCIVMNET_MAX];
	size_t n;
};

static int each_link(const struct netlink_link *l, void *arg)
{
	struct links *all = arg;

	if (l->flags & IFF_LOOPBACK || !(l->flags & IFF_UP))
		return 0;
	if (all->n == OCIVMNET_MAX)
		return -E2BIG;
	all->v[all->n++] = *l;
	return 0;
}

/* ---- addresses ---- */

static unsigned int ones(const unsigned char *mask, size_t n)
{
	unsigned int len = 0;

	for (size_t i = 0; i < n; i++)
		len += (unsigned int)__builtin_popcount(mask[i]);
	return len;
}

static const char *address_text(const struct ifaddrs *i, struct arena *a)
{
	const bool six = i->ifa_addr->sa_family == AF_INET6;
	const void *addr =
	    six ? (const void *)&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr
		: (const void *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
	const void *mask =
	    six ? (const void *)&((const struct sockaddr_in6 *)(const void *)i->ifa_netmask)
		      ->sin6_addr
		: (const void *)&((const struct sockaddr_in *)(const void *)i->ifa_netmask)
		      ->sin_addr;
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(i->ifa_addr->sa_family, addr, text, sizeof(text)))
		return NULL;
	return arena_printf(a, "%s/%u", text, ones(mask, six ? 16 : 4));
}

static bool wanted(const struct ifaddrs *i, const char *name)
{
	if (!i->ifa_addr || !i->ifa_netmask || !streq(i->ifa_name, name))
		return false;
	if (i->ifa_addr->sa_family == AF_INET)
		return true;
	/* The guest makes its own link-local address from the same MAC. */
	return i->ifa_addr->sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_LINKLOCAL(
		   &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr);
}

static void addresses(const struct ifaddrs *all, struct plan_nic *nic, struct arena *a)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!wanted(i, nic->name))
			continue;
		if (i->ifa_addr->sa_family == AF_INET && !nic->address)
			nic->address = address_text(i, a);
		if (i->ifa_addr->sa_family == AF_INET6 && !nic->address6)
			nic->address6 = address_text(i, a);
	}
}

struct gateway {
	int index;
	const char *text;
	struct arena *a;
};

static int each_route(const struct netlink_route *r, void *arg)
{
	struct gateway *g = arg;
	char text[INET6_ADDRSTRLEN];

	if (r->dst.family || !r->gateway.family || r->index != g->index || g->text)
		return 0;
	if (inet_ntop(r->gateway.family, r->gateway.addr, text, sizeof(text)))
		g->text = arena_dup(g->a, text);
	return 0;
}

static int gateway_of(struct nlmsg_sock *s, int family, int index, struct arena *a,
		      const char **out)
{
	struct gateway g = {.index = index, .a = a};
	int r = netlink_route_each(s, family, each_route, &g);

	*out = g.text;
	return r;
}

/* ---- from one device to the other ---- */

static int ingress(struct nlmsg_sock *s, int index)
{
	auto_buf struct buf b = BUF_INIT(MESSAGE_MAX);
	struct tcmsg t = {
	    .tcm_ifindex = index, .tcm_handle = INGRESS_HANDLE, .tcm_parent = TC_H_INGRESS};
	size_t m =
	    nlmsg_start(&b, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &t, sizeof(t));

	nlmsg_str(&b, TCA_KIND, "ingress");
	nlmsg_end(&b, m);
	return nlmsg_talk(s, &b, NULL, NULL);
}

/* u32 that matches everything, because kernels without matchall have it. */
static int redirect(struct nlmsg_sock *s, int from, int to)
{
	auto_buf struct buf b = BUF_INIT(MESSAGE_MAX);
	struct tcmsg t = {.tcm_ifindex = from,
			  .tcm_parent = INGRESS_HANDLE,
			  .tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL))};
	struct tc_mirred mirred = {
	    .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)to};
	struct {
		struct tc_u32_sel sel;
		struct tc_u32_key key;
	} match = {.sel = {.flags = TC_U32_TERMINAL, .nkeys = 1}};
	size_t m, options, actions, one, action;

	m = nlmsg_start(&b, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &t, sizeof(t));
	nlmsg_str(&b, TCA_KIND, "u32");
	options = nlmsg_nest(&b, TCA_OPTIONS);
	nlmsg_attr(&b, TCA_U32_SEL, &match, sizeof(match));
	actions = nlmsg_nest(&b, TCA_U32_ACT);
	one = nlmsg_nest(&b, 1);
	nlmsg_str(&b, TCA_ACT_KIND, "mirred");
	action = nlmsg_nest(&b, TCA_ACT_OPTIONS);
	nlmsg_attr(&b, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
	nlmsg_nest_end(&b, action);
	nlmsg_nest_end(&b, one);
	nlmsg_nest_end(&b, actions);
	nlmsg_nest_end(&b, options);
	nlmsg_end(&b, m);
	return nlmsg_talk(s, &b, NULL, NULL);
}

static int join_with_tap(struct nlmsg_sock *s, const struct netlink_link *l, const char *name)
{
	struct netlink_link tap;
	int fd = netlink_tap_open(name), r;

	if (fd < 0)
		return fd;
	r = netlink_link_get(s, name, &tap);
	if (r == 0)
		r = netlink_link_mtu(s, tap.index, l->mtu);
	if (r == 0)
		r = netlink_link_up_ipv4(s, tap.index);
	if (r == 0)
		r = ingress(s, l->index);
	if (r == 0)
		r = ingress(s, tap.index);
	if (r == 0)
		r = redirect(s, l->index, tap.index);
	if (r == 0)
		r = redirect(s, tap.index, l->index);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int connect_one(struct nlmsg_sock *s, const struct netlink_link *l, struct plan_nic *nic,
		       struct arena *a, struct err *e)
{
	int fd, r = gateway_of(s, AF_INET, l->index, a, &nic->gateway);

	if (r == 0 && nic->address6)
		r = gateway_of(s, AF_INET6, l->index, a, &nic->gateway6);
	nic->mtu = (int32_t)l->mtu;
	nic->mac = arena_printf(a, "%02x:%02x:%02x:%02x:%02x:%02x", l->mac[0], l->mac[1], l->mac[2],
				l->mac[3], l->mac[4], l->mac[5]);
	nic->tap = arena_printf(a, "cvm%d", l->index);
	fd = r < 0 ? r : join_with_tap(s, l, nic->tap);
	if (fd < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "interface %s of the network namespace cannot be connected to the "
			       "virtual machine (tap device, tc): %s",
			       l->name, strerror(-fd));
	return fd;
}

int ocivmnet_connect(struct plan *p, int taps[OCIVMNET_MAX], size_t *count, struct arena *a,
		     struct err *e)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT;
	struct plan_nics *nics = &p->caisson->nics;
	struct links links = {.n = 0};
	struct ifaddrs *all = NULL;
	int r = nlmsg_open(&s, NETLINK_ROUTE);

	if (r == 0)
		r = netlink_link_each(&s, each_link, &links);
	if (r == 0 && links.n && getifaddrs(&all) < 0)
		r = -errno;
	if (r < 0) {
		errno = -r;
		return err_sys(e, "interfaces of the network namespace");
	}
	nics->v = arena_array(a, OCIVMNET_MAX, sizeof(*nics->v));
	for (size_t i = 0; r >= 0 && i < links.n; i++) {
		struct plan_nic nic = {.name = arena_dup(a, links.v[i].name)};

		addresses(all, &nic, a);
		if (!nic.address && !nic.address6)
			continue;
		r = connect_one(&s, &links.v[i], &nic, a, e);
		if (r >= 0) {
			taps[(*count)++] = r;
			nics->v[nics->n++] = nic;
		}
	}
	freeifaddrs(all);
	return r < 0 ? r : 0;
}

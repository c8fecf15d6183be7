/* SPDX-License-Identifier: Apache-2.0 */
#include "net/manage.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/aside.h"
#include "net/attachment.h"
#include "net/direct.h"
#include "net/network.h"
#include "net/nft.h"
#include "sys/path.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MTU_MIN 68    /* RFC 791: what every link must carry */
#define MTU_MAX 65521 /* of a tap device: 65535 without its Ethernet header */

/* ---- checks that need no host ---- */

static uint32_t number(const struct netlink_ip *ip)
{
	uint32_t v;

	memcpy(&v, ip->addr, sizeof(v));
	return ntohl(v);
}

static uint32_t mask(const struct netlink_ip *ip)
{
	return ip->len ? ~0U << (32 - ip->len) : 0;
}

static bool within(const struct netlink_ip *ip, const struct netlink_ip *net)
{
	return ip->len >= net->len && ((number(ip) ^ number(net)) & mask(net)) == 0;
}

/* "ADDRESS/LENGTH" without bits behind the length. */
static int parse_net(const char *option, const char *text, struct netlink_ip *out, struct err *e)
{
	struct in_addr in;

	if (!strchr(text, '/') || netlink_ip_parse(text, out) < 0)
		return err_set(e, ERR_USAGE, "--%s wants ADDRESS/LENGTH, not '%.60s'", option,
			       text);
	if (out->family != AF_INET)
		return err_set(e, ERR_UNSUPPORTED, "--%s %.60s: networks have IPv4 only", option,
			       text);
	in.s_addr = htonl(number(out) & mask(out));
	if (number(out) & ~mask(out))
		return err_set(e, ERR_USAGE, "--%s %.60s: the network is %s/%u", option, text,
			       inet_ntoa(in), out->len);
	return 0;
}

/* One address of the subnet that an instance or the bridge could have. */
static int parse_host(const char *option, const char *text, const struct netlink_ip *subnet,
		      struct err *e)
{
	struct netlink_ip ip;
	uint32_t host;

	if (strchr(text, '/') || netlink_ip_parse(text, &ip) < 0 || ip.family != AF_INET)
		return err_set(e, ERR_USAGE, "--%s wants an IPv4 address, not '%.60s'", option,
			       text);
	host = number(&ip) & ~mask(subnet);
	if (!within(&ip, subnet) || host == 0 || host == ~mask(subnet))
		return err_set(e, ERR_USAGE, "--%s %.60s is no address of the subnet", option,
			       text);
	return 0;
}

static int check_subnet(const struct network *n, struct netlink_ip *subnet, struct err *e)
{
	int r = parse_net("subnet", n->subnet, subnet, e);

	if (r < 0)
		return r;
	if (subnet->len < 8 || subnet->len > 30)
		return err_set(e, ERR_USAGE, "--subnet %s: want a length of 8 to 30", n->subnet);
	if (subnet->addr[0] == 0 || subnet->addr[0] == 127 || subnet->addr[0] >= 224)
		return err_set(e, ERR_USAGE, "--subnet %s is not for hosts", n->subnet);
	return 0;
}

static bool within6(const struct netlink_ip *ip, const struct netlink_ip *net)
{
	for (unsigned int bit = 0; bit < net->len; bit++)
		if ((ip->addr[bit / 8] ^ net->addr[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* One address of the IPv6 subnet, in the form in which it is compared later. */
static int parse_host6(const char *option, const char *text, const struct netlink_ip *subnet,
		       struct err *e)
{
	char plain[INET6_ADDRSTRLEN];
	struct netlink_ip ip;

	if (strchr(text, '/') || netlink_ip_parse(text, &ip) < 0 || ip.family != AF_INET6)
		return err_set(e, ERR_USAGE, "--%s wants an IPv6 address, not '%.60s'", option,
			       text);
	if (!within6(&ip, subnet))
		return err_set(e, ERR_USAGE, "--%s %.60s is no address of the subnet", option,
			       text);
	inet_ntop(AF_INET6, ip.addr, plain, sizeof(plain));
	return streq(plain, text)
		   ? 0
		   : err_set(e, ERR_USAGE, "--%s %.60s: write it as %s", option, text, plain);
}

/* The host numbers of the IPv4 subnet have room in it: an instance has the same in both. */
static int check_ipv6(const struct network *n, struct err *e)
{
	struct netlink_ip net, host = {.family = AF_INET6, .len = 128};

	if (!n->subnet6)
		return n->gateway6 ? err_set(e, ERR_USAGE,
					     "--gateway %s needs --subnet of its "
					     "family",
					     n->gateway6)
				   : 0;
	if (!strchr(n->subnet6, '/') || netlink_ip_parse(n->subnet6, &net) < 0)
		return err_set(e, ERR_USAGE, "--subnet wants ADDRESS/LENGTH, not '%.60s'",
			       n->subnet6);
	if (net.len < 8 || net.len > 96)
		return err_set(e, ERR_USAGE, "--subnet %s: want a length of 8 to 96", n->subnet6);
	for (unsigned int bit = net.len; bit < 128; bit++)
		if (net.addr[bit / 8] & 0x80 >> bit % 8)
			return err_set(e, ERR_USAGE,
				       "--subnet %s: there are bits behind the length", n->subnet6);
	memcpy(host.addr, net.addr, sizeof(host.addr));
	/* Multicast, link-local, loopback and addresses that stand for IPv4 ones. */
	if (net.addr[0] == 0xff || (net.addr[0] == 0xfe && net.addr[1] >= 0x80) || !net.addr[0])
		return err_set(e, ERR_USAGE, "--subnet %s is not for hosts", n->subnet6);
	return n->gateway6 ? parse_host6("gateway", n->gateway6, &net, e) : 0;
}

static int check_aux(const struct network *n, const struct netlink_ip *subnet, struct err *e)
{
	struct netlink_ip six;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n->aux.n; i++) {
		const char *eq = strchr(n->aux.v[i], '=');

		if (eq && strchr(eq, ':') && n->subnet6 && netlink_ip_parse(n->subnet6, &six) == 0)
			r = parse_host6("aux-address", eq + 1, &six, e);
		else
			r = eq && eq != n->aux.v[i]
				? parse_host("aux-address", eq + 1, subnet, e)
				: err_set(e, ERR_USAGE,
					  "--aux-address wants NAME=ADDRESS, not '%.60s'",
					  n->aux.v[i]);
	}
	return r;
}

static int check_addresses(const struct network *n, struct err *e)
{
	struct netlink_ip subnet, range;
	int r;

	if (!n->subnet) {
		if (n->gateway || n->range || n->aux.n)
			return err_set(e, ERR_USAGE, "--%s needs --subnet",
				       n->gateway ? "gateway"
				       : n->range ? "ip-range"
						  : "aux-address");
		return 0;
	}
	r = check_subnet(n, &subnet, e);
	if (r == 0 && n->gateway)
		r = parse_host("gateway", n->gateway, &subnet, e);
	if (r == 0 && n->range)
		r = parse_net("ip-range", n->range, &range, e);
	if (r == 0 && n->range && !within(&range, &subnet))
		r = err_set(e, ERR_USAGE, "--ip-range %s is not within subnet %s", n->range,
			    n->subnet);
	return r < 0 ? r : check_aux(n, &subnet, e);
}

/* A name that no device of ours has or could get, and that a rule can hold. */
static int check_bridge(const char *name, struct err *e)
{
	size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	size_t digits = name[0] == 'c' ? strspn(name + 1, "0123456789") : 0;

	if (!n || name[n] || n >= IFNAMSIZ || strchr(".-", name[0]))
		return err_set(e, ERR_USAGE,
			       "bridge name '%.60s': want 1 to %d letters, digits, '_', '.', '-'",
			       name, IFNAMSIZ - 1);
	if (str_after(name, "caisson") || (digits && strchr("vnrt", name[1 + digits])))
		return err_set(e, ERR_USAGE, "bridge name '%s' is like those that are made here",
			       name);
	return 0;
}

static int check(const struct network *n, struct err *e)
{
	int r;

	if (!network_name_valid(n->name))
		return err_set(e, ERR_USAGE,
			       "'%.64s' is not a network name: want up to %d letters, digits, '_', "
			       "'.', '-'",
			       n->name, NETWORK_NAME_MAX);
	if (streq(n->name, "host") || streq(n->name, "none") || streq(n->name, "default") ||
	    streq(n->name, NETWORK_DEFAULT))
		return err_set(e, ERR_EXISTS, "network '%s' is there always", n->name);
	if (n->mtu && (n->mtu < MTU_MIN || n->mtu > MTU_MAX))
		return err_set(e, ERR_USAGE, "mtu %u: want %d to %d", n->mtu, MTU_MIN, MTU_MAX);
	r = check_addresses(n, e);
	if (r == 0)
		r = check_ipv6(n, e);
	if (r == 0 && direct_is(n))
		return direct_check(n, e);
	return r == 0 && n->bridge ? check_bridge(n->bridge, e) : r;
}

/* ---- what both need ---- */

struct manage {
	int root_fd, run_fd, net_fd, lock;
	struct nlmsg_sock route, nf;
	struct arena *a;
};

static void done(struct manage *m)
{
	nlmsg_close(&m->route);
	nlmsg_close(&m->nf);
	if (m->lock >= 0)
		close(m->lock);
	if (m->net_fd >= 0)
		close(m->net_fd);
}

static int begin(struct manage *m, struct err *e)
{
	int r;

	m->net_fd = attachment_dir(m->run_fd, e);
	if (m->net_fd < 0)
		return m->net_fd;
	r = nlmsg_open(&m->route, NETLINK_ROUTE);
	if (r == 0)
		r = nlmsg_open(&m->nf, NETLINK_NETFILTER);
	if (r == -EPROTONOSUPPORT)
		return err_set(e, ERR_UNSUPPORTED, "this kernel has no nftables");
	if (r < 0) {
		errno = -r;
		return err_sys(e, "netlink");
	}
	m->lock = attachment_lock(m->net_fd, e);
	return m->lock < 0 ? m->lock : 0;
}

/* What has a bridge: nothing else is known to the rules. */
static void bridged(struct networks *nets)
{
	size_t n = 0;

	for (size_t i = 0; i < nets->n; i++)
		if (!direct_is(&nets->v[i]))
			nets->v[n++] = nets->v[i];
	nets->n = n;
}

static void plugged(struct attachment_list *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i].direct)
			all->v[n++] = all->v[i];
	all->n = n;
}

int manage_rules(int root_fd, int net_fd, struct nlmsg_sock *nf, struct arena *a, struct err *e)
{
	struct attachment_list all;
	struct networks nets;
	int r = network_list(root_fd, a, &nets, e);

	if (r < 0)
		return r;
	bridged(&nets);
	r = nft_loaded(nf, &nets, e);
	if (r)
		return r < 0 ? r : 0;
	r = attachment_list(net_fd, a, &all, e);
	if (r < 0)
		return r;
	plugged(&all);
	return nft_load(nf, &nets, &all, e);
}

/* ---- making ---- */

static int make(struct manage *m, const struct network *want, struct network *out, struct err *e)
{
	struct network n = *want, first;
	struct networks taken;
	struct timespec t;
	int bridge, r;

	/* The default one has the index that all share, and its bridge tells other stores of it. */
	r = network_find(m->root_fd, NETWORK_DEFAULT, &m->route, m->a, &first, e);
	if (r == 0)
		r = network_up(&first, &m->route, &bridge, e);
	if (r == 0)
		r = network_list(m->root_fd, m->a, &taken, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < taken.n; i++)
		if (streq(taken.v[i].name, n.name))
			return err_set(e, ERR_EXISTS, "network '%s' exists", n.name);
	n.index = first.index;
	if (clock_gettime(CLOCK_REALTIME, &t) == 0)
		n.created_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	r = network_choose(&n, &taken, &m->route, m->a, e);
	for (size_t i = 0; r == 0 && i < n.aux.n; i++)
		if (streq(strchr(n.aux.v[i], '=') + 1, n.gateway) ||
		    (n.gateway6 && streq(strchr(n.aux.v[i], '=') + 1, n.gateway6)))
			r = err_set(e, ERR_USAGE, "--aux-address %s is the gateway", n.gateway);
	if (r == 0)
		r = network_write(m->root_fd, &n, e);
	if (r < 0)
		return r;
	r = network_up(&n, &m->route, &bridge, e);
	if (r == 0 && direct_is(&n))
		r = direct_try(&n, &m->route, bridge, e);
	else if (r == 0)
		r = manage_rules(m->root_fd, m->net_fd, &m->nf, m->a, e);
	if (r < 0) {
		(void)network_forget(m->root_fd, &n, &m->route, NULL);
		return r;
	}
	*out = n;
	return 0;
}

static int create_here(int root_fd, int run_fd, const struct network *want, struct arena *a,
		       struct network *out, struct err *e)
{
	struct manage m = {root_fd, run_fd, -1, -1, NLMSG_SOCK_INIT, NLMSG_SOCK_INIT, a};
	int r = begin(&m, e);

	if (r == 0)
		r = make(&m, want, out, e);
	done(&m);
	return r;
}

/* ---- removing ---- */

static int drop(struct manage *m, const char *name, struct err *e)
{
	struct attachment_list all;
	struct network n;
	char leases[NETWORK_NAME_MAX + 16];
	int r = network_find(m->root_fd, name, &m->route, m->a, &n, e);

	if (r == 0)
		r = attachment_list(m->net_fd, m->a, &all, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].network, name))
			return err_set(e, ERR_CONFLICT,
				       "network '%s' is in use: instance %.12s is attached to it",
				       name, all.v[i].id);
	snprintf(leases, sizeof(leases), "leases/%s", name);
	r = path_remove(m->net_fd, leases);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network '%s': remove its leases", name);
	}
	r = network_forget(m->root_fd, &n, &m->route, e);
	if (r == 0)
		r = manage_rules(m->root_fd, m->net_fd, &m->nf, m->a, e);
	return r < 0 ? r : 0;
}

static int remove_here(int root_fd, int run_fd, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct manage m = {root_fd, run_fd, -1, -1, NLMSG_SOCK_INIT, NLMSG_SOCK_INIT, &a};
	int r = begin(&m, e);

	if (r == 0)
		r = drop(&m, name, e);
	done(&m);
	return r;
}

/* ---- in a user's engine ---- */

struct job {
	int root_fd, run_fd;
	const struct network *want;
	const char *name;
};

static int create_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct job *j = arg;
	struct network n;

	return create_here(j->root_fd, j->run_fd, j->want, &a, &n, e);
}

static int remove_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	const struct job *j = arg;

	return remove_here(j->root_fd, j->run_fd, j->name, e);
}

int manage_create(int root_fd, int run_fd, const struct network *want, struct arena *a,
		  struct network *out, struct err *e)
{
	struct job j = {.root_fd = root_fd, .run_fd = run_fd, .want = want};
	int r = check(want, e);

	if (r < 0)
		return r;
	if (!aside_needed(run_fd))
		return create_here(root_fd, run_fd, want, a, out, e);
	r = aside_run(run_fd, create_inside, &j, NULL, e);
	/* What was made there stands in the record; this does not make the default one. */
	return r < 0 ? r : network_find(root_fd, want->name, NULL, a, out, e);
}

int manage_remove(int root_fd, int run_fd, const char *name, struct err *e)
{
	struct job j = {.root_fd = root_fd, .run_fd = run_fd, .name = name};

	if (streq(name, NETWORK_DEFAULT) || streq(name, "host") || streq(name, "none"))
		return err_set(e, ERR_DENIED, "network '%s' is there always: it cannot be removed",
			       name);
	return aside_needed(run_fd) ? aside_run(run_fd, remove_inside, &j, NULL, e)
				    : remove_here(root_fd, run_fd, name, e);
}

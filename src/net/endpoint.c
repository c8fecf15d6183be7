/* SPDX-License-Identifier: Apache-2.0 */
#include "net/endpoint.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/publish.h"
#include "net/cninet.h"
#include "net/direct.h"
#include "net/etc_files.h"
#include "net/nameproc.h"
#include "net/nft.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <stdio.h>
#include <time.h>

/* Sockets handed out to hold published ports; ports beyond are published without. */
#define HOLD_MAX    256
#define DEFAULT_MTU 1500
#define SETTLE_NS   500000000
#define LEAVE_NS    20000000000
#define SHORT_ID    12

int endpoint_work_open(struct endpoint_work *w, struct err *e)
{
	int r;

	w->net_fd = attachment_dir(w->q->run_fd, e);
	if (w->net_fd < 0)
		return w->net_fd;
	r = nlmsg_open(&w->route, NETLINK_ROUTE);
	if (r == 0)
		r = nlmsg_open(&w->nf, NETLINK_NETFILTER);
	if (r == -EPROTONOSUPPORT)
		return err_set(e, ERR_UNSUPPORTED, "this kernel has no nftables");
	if (r < 0) {
		errno = -r;
		return err_sys(e, "netlink");
	}
	return 0;
}

void endpoint_work_done(struct endpoint_work *w)
{
	nlmsg_close(&w->route);
	nlmsg_close(&w->nf);
	fd_close(w->net_fd);
	w->net_fd = -1;
}

/* ---- devices ---- */

static int device_error(const struct endpoint *p, int r, struct err *e)
{
	errno = -r;
	return err_sys(e, "network '%s': device '%s'", p->net.name, p->at.device);
}

/* One route through the gateway, which is the only neighbour: instances speak no neighbour
 * discovery with one another, so nobody can lie in it (net/nft_rules.c). */
static int configure_ipv6(struct nlmsg_sock *inner, const struct endpoint *p, int index)
{
	struct netlink_ip ip;
	struct netlink_route link = {.index = index}, net = {.index = index},
			     def = {.index = index};
	uint8_t mac[6];
	int r;

	network_mac(&p->net, mac);
	(void)netlink_ip_parse(p->at.address6, &ip);
	(void)netlink_ip_parse(p->net.gateway6, &link.dst);
	(void)netlink_ip_parse(p->net.subnet6, &net.dst);
	net.gateway = def.gateway = link.dst;
	r = netlink_addr_add(inner, index, &ip);
	if (r == 0)
		r = netlink_neigh_add(inner, index, &link.dst, mac);
	if (r == 0)
		r = netlink_route_add(inner, &link);
	if (r == 0)
		r = netlink_route_add(inner, &net);
	return r == 0 && p->at.main ? netlink_route_add(inner, &def) : r;
}

/* On a wire with others: neighbours are found as anywhere. */
static int configure_ipv6_direct(struct nlmsg_sock *inner, const struct endpoint *p, int index)
{
	struct netlink_route def = {.index = index};
	struct netlink_ip ip, net;
	int r;

	(void)netlink_ip_parse(p->at.address6, &ip);
	(void)netlink_ip_parse(p->net.subnet6, &net);
	ip.len = net.len;
	r = netlink_addr_add(inner, index, &ip);
	if (p->at.gateway6)
		(void)netlink_ip_parse(p->at.gateway6, &def.gateway);
	else
		def.dst.family = AF_INET6;
	return r == 0 && p->at.main ? netlink_route_add(inner, &def) : r;
}

static int configure_inside(struct nlmsg_sock *inner, const struct endpoint *p, const char *name)
{
	struct netlink_link eth = {0};
	struct netlink_route def = {0};
	struct netlink_ip ip, net;
	int r = netlink_link_get(inner, name, &eth);

	(void)netlink_ip_parse(p->at.address, &ip);
	(void)netlink_ip_parse(p->net.subnet, &net);
	ip.len = net.len;
	def.index = eth.index;
	if (p->at.gateway)
		(void)netlink_ip_parse(p->at.gateway, &def.gateway);
	else
		def.dst.family = AF_INET; /* to whoever there is, without asking */
	if (r == 0)
		r = netlink_addr_add(inner, eth.index, &ip);
	if (r == 0)
		r = netlink_link_up_ipv4(inner, eth.index);
	if (r == 0 && p->at.main)
		r = netlink_route_add(inner, &def);
	if (r == 0 && p->at.address6)
		r = p->at.direct ? configure_ipv6_direct(inner, p, eth.index)
				 : configure_ipv6(inner, p, eth.index);
	return r;
}

/* The kernel takes a namespace apart at its leisure: the card of a run that has just ended may hold
 * its MAC address, or a device that takes one card only, a little longer. */
static bool again(int64_t end)
{
	if (trace_now_ns() > end)
		return false;
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	return true;
}

/* Whether the records say that another instance is there. */
static bool others(const struct endpoint *p)
{
	struct attachment_list all = {0};

	if (attachment_list(p->w->net_fd, p->w->a, &all, NULL) < 0)
		return true;
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].network, p->net.name) && !streq(all.v[i].id, p->w->q->id))
			return true;
	return false;
}

static int add_card(struct endpoint *p, const struct direct_card *c, int64_t end, struct err *e)
{
	bool wait = direct_same_mac(&p->net) && !others(p);
	struct err why = ERR_INIT;
	int r;

	do {
		why = ERR_INIT;
		r = direct_add(&p->net, &p->w->route, c, &why);
	} while (r < 0 && why.kind == ERR_CONFLICT && wait && again(end));
	if (r < 0 && e)
		*e = why;
	return r;
}

/* eth<slot>, made where it is to be. */
static int direct_inside(struct endpoint *p, int ns, struct nlmsg_sock *inner, struct err *e)
{
	int64_t end = trace_now_ns() + LEAVE_NS;
	struct netlink_link eth = {0};
	char name[IFNAMSIZ];
	uint8_t mac[6];
	int r;

	snprintf(name, sizeof(name), "eth%u", p->slot);
	(void)netlink_mac_parse(p->at.mac, mac);
	r = add_card(p, &(struct direct_card){name, p->bridge, ns, mac}, end, e);
	if (r < 0)
		return r;
	r = netlink_link_get(inner, name, &eth);
	if (r == 0)
		do
			r = netlink_link_up_ipv4(inner, eth.index);
		while (r == -EADDRINUSE && again(end));
	if (r == 0)
		r = configure_inside(inner, p, name);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network '%s': interface %s", p->net.name, name);
	}
	return 0;
}

int endpoint_veth(struct endpoint *p, int ns, struct nlmsg_sock *inner, struct err *e)
{
	char name[IFNAMSIZ];
	uint8_t mac[6];
	struct netlink_link old;
	struct netlink_veth veth = {.name = p->at.device,
				    .master = p->bridge,
				    .mtu = p->net.mtu,
				    .peer_ns = ns,
				    .peer_name = name,
				    .peer_mac = mac};
	int r;

	if (p->at.direct)
		return direct_inside(p, ns, inner, e);
	snprintf(name, sizeof(name), "eth%u", p->slot);
	(void)netlink_mac_parse(p->at.mac, mac);
	r = netlink_veth_add(&p->w->route, &veth);
	/* Of a run that was just killed: the kernel takes namespaces apart at its leisure, and our
	 * record of it may be gone already.  The name is made of the instance's id: it is ours. */
	if (r == -EEXIST && netlink_link_get(&p->w->route, p->at.device, &old) == 0) {
		(void)netlink_link_del(&p->w->route, old.index);
		r = netlink_veth_add(&p->w->route, &veth);
	}
	if (r == 0)
		r = configure_inside(inner, p, name);
	return r < 0 ? device_error(p, r, e) : 0;
}

static int direct_outside(struct endpoint *p, struct err *e)
{
	struct netlink_link l;
	auto_fd int tap = -1;
	uint8_t mac[6];
	int r;

	(void)netlink_mac_parse(p->at.mac, mac);
	tap = direct_tap(&p->net, &p->w->route,
			 &(struct direct_card){p->at.device, p->bridge, -1, mac}, e);
	if (tap < 0)
		return tap;
	r = netlink_link_get(&p->w->route, p->at.device, &l);
	if (r == 0)
		r = netlink_link_up_ipv4(&p->w->route, l.index);
	return r < 0 ? device_error(p, r, e) : take_fd(&tap);
}

int endpoint_tap(struct endpoint *p, struct err *e)
{
	auto_fd int tap = -1;
	struct netlink_link l;
	int r;

	if (p->at.direct)
		return direct_outside(p, e);
	tap = netlink_tap_open(p->at.device);
	if (tap == -ENOENT || tap == -ENODEV)
		return err_set(e, ERR_UNSUPPORTED,
			       "a VM's network needs /dev/net/tun: load the module tun");
	if (tap < 0)
		return device_error(p, tap, e);
	r = netlink_link_get(&p->w->route, p->at.device, &l);
	if (r == 0 && p->net.mtu)
		r = netlink_link_mtu(&p->w->route, l.index, p->net.mtu);
	if (r == 0)
		r = netlink_link_master(&p->w->route, l.index, p->bridge);
	if (r == 0)
		r = netlink_link_up(&p->w->route, l.index);
	if (r < 0)
		return device_error(p, r, e);
	return take_fd(&tap);
}

/* Where bridged packets pass through the IP hooks too (br_netfilter: hosts with Kubernetes or
 * Docker), one that an instance sends to its own published port is translated inside the bridge and
 * must go out by the port it came from. */
static bool wants_hairpin(void)
{
	auto_free char *text = NULL;

	return file_read(AT_FDCWD, "/proc/sys/net/bridge/bridge-nf-call-iptables", 16, &text) > 0 &&
	       text[0] == '1';
}

static int port_switches(struct endpoint *p, struct err *e)
{
	unsigned int flags = p->net.no_icc ? NETLINK_PORT_ISOLATED : 0;
	struct netlink_link l;
	int r;

	if (p->at.ports.n && wants_hairpin())
		flags |= NETLINK_PORT_HAIRPIN;
	if (!flags)
		return 0;
	r = netlink_link_get(&p->w->route, p->at.device, &l);
	if (r == 0)
		r = netlink_port_set(&p->w->route, l.index, flags);
	return r < 0 ? device_error(p, r, e) : 0;
}

/* The kernel turns a port, and a bridge that had none, on from a work queue that waits for the lock
 * of all network changes (linkwatch).  Until then packets are dropped, and the first connection of
 * an instance would lose a whole second to its retransmission: seen once in 24 starts.  Not in time
 * is no error. */
void endpoint_settle(struct endpoint *p)
{
	int64_t end = trace_now_ns() + SETTLE_NS;
	long pause = 50000;

	for (; !p->at.direct;) {
		struct netlink_link port, bridge;

		if (netlink_link_get(&p->w->route, p->at.device, &port) < 0 ||
		    netlink_link_get(&p->w->route, p->net.bridge, &bridge) < 0)
			return;
		if ((port.port_state == BR_STATE_FORWARDING && bridge.flags & IFF_RUNNING) ||
		    trace_now_ns() > end)
			return;
		nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
		pause = pause < 2000000 ? pause * 2 : pause;
	}
}

/* A MAC address that was asked for is nobody else's of the network, and will not be: the ones that
 * are made from addresses of the subnet belong to these addresses. */
static int check_mac(struct endpoint *p, const char *made, struct err *e)
{
	struct attachment_list all;
	uint8_t mac[6], other[6];
	int r;

	if (netlink_mac_parse(p->want->mac, mac) < 0 || mac[0] & 1)
		return err_set(e, ERR_USAGE,
			       "--mac-address '%.60s' is no address of one device, such as "
			       "02:42:0a:00:00:05",
			       p->want->mac);
	if (network_reserves_mac(&p->net, mac) && !streq(made, p->at.mac))
		return err_set(e, ERR_CONFLICT,
			       "--mac-address %s: network '%s' makes it for itself or for another "
			       "address",
			       p->want->mac, p->net.name);
	r = attachment_list(p->w->net_fd, p->w->a, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (streq(all.v[i].network, p->net.name) &&
		    netlink_mac_parse(all.v[i].mac, other) == 0 && memcmp(mac, other, 6) == 0)
			r = err_set(e, ERR_CONFLICT,
				    "--mac-address %s: another instance of network '%s' has it",
				    p->want->mac, p->net.name);
	return r;
}

static int take_mac(struct endpoint *p, struct err *e)
{
	struct netlink_ip ip;
	const char *made;
	uint8_t mac[6];

	(void)netlink_ip_parse(p->at.address, &ip);
	if (direct_same_mac(&p->net)) {
		if (p->want->mac)
			return err_set(e, ERR_UNSUPPORTED,
				       "--mac-address %.60s: every card of network '%s' has the "
				       "address of device '%s'",
				       p->want->mac, p->net.name, p->net.bridge);
		p->at.mac = arena_printf(p->w->a, "%02x:%02x:%02x:%02x:%02x:%02x", p->parent_mac[0],
					 p->parent_mac[1], p->parent_mac[2], p->parent_mac[3],
					 p->parent_mac[4], p->parent_mac[5]);
		return 0;
	}
	made = arena_printf(p->w->a, "02:42:%02x:%02x:%02x:%02x", ip.addr[0], ip.addr[1],
			    ip.addr[2], ip.addr[3]);
	p->at.mac = made;
	if (!p->want->mac)
		return 0;
	if (netlink_mac_parse(p->want->mac, mac) == 0)
		p->at.mac = arena_printf(p->w->a, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
					 mac[2], mac[3], mac[4], mac[5]);
	return check_mac(p, made, e);
}

/* The first network's device is called as it was before there could be several; the letter cannot
 * be mistaken for a digit of an id. */
static const char *device_name(const struct endpoint *p, const char *id)
{
	return p->slot ? arena_printf(p->w->a, "c%uv%.9s%c", p->net.index, id,
				      (char)('g' + p->slot - 1))
		       : arena_printf(p->w->a, "c%uv%.10s", p->net.index, id);
}

static int reserve(struct endpoint *p, int *fds, size_t *n_fds, struct err *e)
{
	const struct attach_request *q = p->w->q;
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->n_publish; i++) {
		bool hold =
		    p->at.ports.n + (size_t)(q->publish[i].port_last - q->publish[i].port_first) <
		    HOLD_MAX;

		r = attachment_reserve(p->w->net_fd, p->w->talk, &q->publish[i], q->id, p->w->a,
				       &p->at.ports, hold ? fds : NULL, n_fds, e);
	}
	return r;
}

/* What it is called by, without its length: the name, what else was asked for, the short id. */
static void names(struct endpoint *p)
{
	const struct attach_request *q = p->w->q;

	if (q->name)
		arena_strs_add(p->w->a, &p->at.names, q->name);
	for (size_t i = 0; i < p->want->aliases.n; i++)
		arena_strs_add(p->w->a, &p->at.names, p->want->aliases.v[i]);
	arena_strs_add(p->w->a, &p->at.names, arena_dupn(p->w->a, q->id, SHORT_ID));
	if (q->hostname && *q->hostname)
		arena_strs_add(p->w->a, &p->at.names, q->hostname);
}

static int take(struct endpoint *p, bool main, int *fds, size_t *n_fds, struct err *e)
{
	const struct attach_request *q = p->w->q;
	int r =
	    attachment_lease(p->w->net_fd, &p->net, p->want->ip, q->id, p->w->a, &p->at.address, e);

	if (r == 0)
		r = attachment_lease6(p->w->net_fd, &p->net, p->want->ip6, q->id, p->at.address,
				      p->w->a, &p->at.address6, e);
	if (r == 0)
		r = take_mac(p, e);
	if (r == 0 && main && !p->at.direct)
		r = reserve(p, fds, n_fds, e);
	if (r == 0 && p->at.direct && (q->rate.in || q->rate.out))
		r = err_set(e, ERR_UNSUPPORTED,
			    "--network-rate: on network '%s' (%s) there is no device of the host's "
			    "that only this instance sends through",
			    p->net.name, p->net.driver);
	if (r < 0)
		return r;
	if (q->rate.out)
		p->at.limiter = rate_device(&p->at, p->w->a);
	names(p);
	p->at.resolves = q->libexec && !p->at.direct && !streq(p->net.name, NETWORK_DEFAULT);
	r = p->at.resolves ? etc_files_upstream(q, p->w->a, &p->at.dns, e) : 0;
	return r < 0 ? r : attachment_write(p->w->net_fd, &p->at, e);
}

/* The host's own addresses on the same wire are as good as set aside (network_address6() and the
 * leases look there). */
static int own_address(const struct netlink_ip *ip, void *arg)
{
	struct endpoint *p = arg;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(ip->family, ip->addr, text, sizeof(text));
	arena_strs_add(p->w->a, &p->net.aux, arena_printf(p->w->a, "host=%s", text));
	return 0;
}

static int direct_network(struct endpoint *p, struct err *e)
{
	int r = direct_up(&p->net, &p->w->route, &p->bridge, p->parent_mac, e);

	if (r < 0)
		return r;
	r = netlink_addr_each(&p->w->route, p->bridge, own_address, p);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network '%s': addresses of device '%s'", p->net.name,
			       p->net.bridge);
	}
	return 0;
}

int endpoint_network(struct endpoint *p, struct err *e)
{
	int r = network_find(p->w->q->root_fd, p->want->network, &p->w->route, p->w->a, &p->net, e);

	if (r == 0 && direct_is(&p->net))
		return direct_network(p, e);
	return r < 0 ? r : network_up(&p->net, &p->w->route, &p->bridge, e);
}

int endpoint_take(struct endpoint *p, bool main, size_t n_ports, int *fds, size_t *n_fds,
		  struct err *e)
{
	bool routed = direct_is(&p->net) && direct_routed(&p->net);
	int r;

	p->at = (struct attachment){
	    .id = p->w->q->id,
	    .slot = p->slot,
	    .direct = direct_is(&p->net),
	    .main = main,
	    .network = p->net.name,
	    .table = arena_printf(p->w->a, "caisson%u", p->net.index),
	    .device = device_name(p, p->w->q->id),
	    .gateway = routed ? NULL : p->net.gateway,
	    .gateway6 = routed ? NULL : p->net.gateway6,
	    .bridge = p->net.bridge,
	    .ports = {.v = arena_array(p->w->a, n_ports + 1, sizeof(struct attachment_port))},
	};
	r = take(p, main, fds, n_fds, e);
	p->recorded = r >= 0;
	/* Nothing of ours is in the kernel yet. */
	if (r < 0)
		(void)attachment_release(p->w->net_fd, &p->at, NULL);
	return r;
}

int endpoint_names(const struct endpoint *p, struct err *e)
{
	return p->at.resolves ? nameproc_start(p->w->net_fd, p->w->q->libexec, e) : 0;
}

/* Where the instance is, for the host: what the instance says of that is not heard. */
static int neighbour(struct endpoint *p, struct err *e)
{
	struct netlink_ip ip;
	uint8_t mac[6];
	int r;

	if (!p->at.address6)
		return 0;
	(void)netlink_ip_parse(p->at.address6, &ip);
	(void)netlink_mac_parse(p->at.mac, mac);
	r = netlink_neigh_add(&p->w->route, p->bridge, &ip, mac);
	return r < 0 ? device_error(p, r, e) : 0;
}

void endpoint_forget(struct nlmsg_sock *route, const struct attachment *at)
{
	struct netlink_link l;
	struct netlink_ip ip;

	/* A VM's macvtap does not go with its descriptor. */
	if (at->direct && netlink_link_get(route, at->device, &l) == 0)
		(void)netlink_link_del(route, l.index);
	rate_forget(route, at);
	if (at->address6 && at->bridge && !at->direct && netlink_ip_parse(at->address6, &ip) == 0 &&
	    netlink_link_get(route, at->bridge, &l) == 0)
		(void)netlink_neigh_del(route, l.index, &ip);
}

int endpoint_plug(struct endpoint *p, struct err *e)
{
	const struct rate *rate = &p->w->q->rate;
	int r = p->at.direct ? 0 : port_switches(p, e);

	if (r == 0 && (rate->in || rate->out))
		r = rate_set(&p->w->route, &p->at, rate, e);
	if (r == 0 && !p->at.direct)
		r = neighbour(p, e);
	return r < 0 ? r : nft_add(&p->w->nf, &p->at, e);
}

void endpoint_describe(const struct endpoint *p, bool tap, struct plan_nic *out)
{
	bool six = p->at.address6 != NULL, direct = p->at.direct;

	*out = (struct plan_nic){
	    .name = arena_printf(p->w->a, "eth%u", p->slot),
	    .mac = p->at.mac,
	    .address = arena_printf(p->w->a, "%s%s", p->at.address, strchr(p->net.subnet, '/')),
	    .gateway = p->at.main ? p->at.gateway : NULL,
	    .address6 = six ? arena_printf(p->w->a, "%s%s", p->at.address6,
					   direct ? strchr(p->net.subnet6, '/') : "/128")
			    : NULL,
	    .gateway6 = six && (p->at.main || !direct) ? p->at.gateway6 : NULL,
	    .subnet6 = six && !direct ? p->net.subnet6 : NULL,
	    .tap = tap ? p->at.device : NULL,
	    .mtu = p->net.mtu ? (int32_t)p->net.mtu : DEFAULT_MTU,
	};
}

int endpoint_undo(struct endpoint_work *w, const struct attachment *at, struct err *e)
{
	struct netlink_link l;
	int r;

	if (netlink_link_get(&w->route, at->device, &l) == 0)
		(void)netlink_link_del(&w->route, l.index);
	endpoint_forget(&w->route, at);
	r = cninet_name(at->network) ? cninet_del(w->net_fd, at->id, e) : nft_delete(&w->nf, at, e);
	return r < 0 ? r : attachment_release(w->net_fd, at, e);
}

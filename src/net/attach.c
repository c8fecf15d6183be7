/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order on a bridge, and what a kill -9 leaves behind:
 *
 *  1. lock; rules loaded if they are not; an older attachment of the same instance undone
 *  2. address and ports taken               a lease or port without a record: attachment_orphans()
 *  3. record written; lock released         a record: attach_sweep(), or the next start of the
 * instance
 *  4. namespace, veth or tap                die with this process
 *  5. elements added                        named by the record
 *
 * attach_remove() goes back under the lock: elements, ports, address, record.  Elements go first,
 * because whoever finds the rules missing loads them with the elements of every record.
 */
#include "net/attach.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/publish.h"
#include "net/aside.h"
#include "net/attachment.h"
#include "net/etc_files.h"
#include "net/manage.h"
#include "net/network.h"
#include "net/nft.h"
#include "net/outside.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

/* Sockets handed out to hold published ports; ports beyond are published without. */
#define HOLD_MAX    256
#define DEFAULT_MTU 1500
#define SETTLE_NS   500000000

struct work {
	const struct attach_request *q;
	struct arena *a;
	int talk; /* in a user's engine: to whom is on the host's network (aside.h); or -1 */
	int net_fd;
	int bridge; /* link index */
	struct nlmsg_sock route, nf;
	struct network net;
	struct attachment at;
	bool recorded; /* there is something to undo */
};

static void work_done(struct work *w)
{
	nlmsg_close(&w->route);
	nlmsg_close(&w->nf);
	fd_close(w->net_fd);
	w->net_fd = -1;
}

void attach_done(struct attach_result *r)
{
	fd_close(r->netns_fd);
	fd_close(r->tap_fd);
	for (size_t i = 0; i < r->n_port_fds; i++)
		fd_close(r->port_fds[i]);
	r->netns_fd = r->tap_fd = -1;
	r->n_port_fds = 0;
}

/* ---- the namespace ---- */

/* Defaults of a new namespace that the instance could not set itself: as Docker, every port may be
 * bound without privilege (the whole namespace is the instance's) and ping needs no raw socket.
 * Each of these opens costs 0.04 ms, and 0.4 ms when 500 namespaces have done so (/proc/sys finds a
 * name among those of all namespaces), so there are only these two. */
static void namespace_switches(void)
{
	(void)file_put(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	(void)file_put(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

/* Make a network namespace with lo up; *inner is a route socket inside.  The process is back where
 * it was when this returns: if it cannot go back, it cannot go on. */
static int namespace_make(struct nlmsg_sock *inner, struct err *e)
{
	auto_fd int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_fd int ns = -1;
	struct netlink_link lo;
	int r;

	if (home < 0)
		return err_sys(e, "open own network namespace");
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(e, "make a network namespace");
	ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	r = ns < 0 ? -errno : nlmsg_open(inner, NETLINK_ROUTE);
	if (r == 0)
		namespace_switches();
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	if (r == 0)
		r = netlink_link_get(inner, "lo", &lo);
	if (r == 0)
		r = netlink_link_up(inner, lo.index);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "set up the network namespace");
	}
	return take_fd(&ns);
}

static int no_network(const struct attach_request *q, struct attach_result *out, struct err *e)
{
	auto_nlmsg struct nlmsg_sock inner = NLMSG_SOCK_INIT;
	int fd;

	if (q->isolation == PLAN_VM)
		return 0; /* no card */
	fd = namespace_make(&inner, e);
	if (fd < 0)
		return fd;
	out->netns_fd = fd;
	return 0;
}

/* ---- devices ---- */

static int device_error(const struct work *w, int r, struct err *e)
{
	errno = -r;
	return err_sys(e, "network '%s': device '%s'", w->net.name, w->at.device);
}

static int configure_inside(struct nlmsg_sock *inner, const struct work *w)
{
	struct netlink_link eth;
	struct netlink_route def = {0};
	struct netlink_ip ip, net;
	int r = netlink_link_get(inner, "eth0", &eth);

	(void)netlink_ip_parse(w->at.address, &ip);
	(void)netlink_ip_parse(w->net.subnet, &net);
	(void)netlink_ip_parse(w->net.gateway, &def.gateway);
	ip.len = net.len;
	if (r == 0)
		r = netlink_addr_add(inner, eth.index, &ip);
	if (r == 0)
		r = netlink_link_up_ipv4(inner, eth.index);
	if (r == 0 && !w->net.internal)
		r = netlink_route_add(inner, &def);
	return r;
}

static int make_veth(struct work *w, struct attach_result *out, struct err *e)
{
	auto_nlmsg struct nlmsg_sock inner = NLMSG_SOCK_INIT;
	auto_fd int ns = namespace_make(&inner, e);
	uint8_t mac[6];
	int r;

	if (ns < 0)
		return ns;
	struct netlink_link old;
	struct netlink_veth veth = {.name = w->at.device,
				    .master = w->bridge,
				    .mtu = w->net.mtu,
				    .peer_ns = ns,
				    .peer_name = "eth0",
				    .peer_mac = mac};

	(void)netlink_mac_parse(w->at.mac, mac);
	r = netlink_veth_add(&w->route, &veth);
	/* Of a run that was just killed: the kernel takes namespaces apart at its leisure, and our
	 * record of it may be gone already.  The name is made of the instance's id: it is ours. */
	if (r == -EEXIST && netlink_link_get(&w->route, w->at.device, &old) == 0) {
		(void)netlink_link_del(&w->route, old.index);
		r = netlink_veth_add(&w->route, &veth);
	}
	if (r == 0)
		r = configure_inside(&inner, w);
	if (r < 0)
		return device_error(w, r, e);
	out->netns_fd = take_fd(&ns);
	return 0;
}

static int make_tap(struct work *w, struct attach_result *out, struct err *e)
{
	auto_fd int tap = netlink_tap_open(w->at.device);
	struct netlink_link l;
	int r;

	if (tap == -ENOENT || tap == -ENODEV)
		return err_set(e, ERR_UNSUPPORTED,
			       "a VM's network needs /dev/net/tun: load the module tun");
	if (tap < 0)
		return device_error(w, tap, e);
	r = netlink_link_get(&w->route, w->at.device, &l);
	if (r == 0 && w->net.mtu)
		r = netlink_link_mtu(&w->route, l.index, w->net.mtu);
	if (r == 0)
		r = netlink_link_master(&w->route, l.index, w->bridge);
	if (r == 0)
		r = netlink_link_up(&w->route, l.index);
	if (r < 0)
		return device_error(w, r, e);
	out->tap_fd = take_fd(&tap);
	return 0;
}

static void device_delete(struct nlmsg_sock *route, const char *name)
{
	struct netlink_link l;

	if (netlink_link_get(route, name, &l) == 0)
		(void)netlink_link_del(route, l.index);
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

static int port_switches(struct work *w, struct err *e)
{
	unsigned int flags = w->net.no_icc ? NETLINK_PORT_ISOLATED : 0;
	struct netlink_link l;
	int r;

	if (w->at.ports.n && wants_hairpin())
		flags |= NETLINK_PORT_HAIRPIN;
	if (!flags)
		return 0;
	r = netlink_link_get(&w->route, w->at.device, &l);
	if (r == 0)
		r = netlink_port_set(&w->route, l.index, flags);
	return r < 0 ? device_error(w, r, e) : 0;
}

/* The kernel turns a port, and a bridge that had none, on from a work queue that waits for the lock
 * of all network changes (linkwatch).  Until then packets are dropped, and the first connection of
 * an instance would lose a whole second to its retransmission: seen once in 24 starts.  Not in time
 * is no error. */
static void settle(struct work *w)
{
	int64_t end = trace_now_ns() + SETTLE_NS;
	long pause = 50000;

	for (;;) {
		struct netlink_link port, bridge;

		if (netlink_link_get(&w->route, w->at.device, &port) < 0 ||
		    netlink_link_get(&w->route, w->net.bridge, &bridge) < 0)
			return;
		if ((port.port_state == BR_STATE_FORWARDING && bridge.flags & IFF_RUNNING) ||
		    trace_now_ns() > end)
			return;
		nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
		pause = pause < 2000000 ? pause * 2 : pause;
	}
}

/* ---- attaching ---- */

static int check_ports(const struct attach_request *q, size_t *n, struct err *e)
{
	*n = 0;
	for (size_t i = 0; i < q->n_publish; i++) {
		if (q->publish[i].family == AF_INET6)
			return err_set(e, ERR_UNSUPPORTED,
				       "publish port %u: networks have IPv4 only, give an IPv4 "
				       "host address",
				       q->publish[i].port_first);
		*n += (size_t)(q->publish[i].port_last - q->publish[i].port_first) + 1;
		if (*n > ATTACH_PORTS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d published ports",
				       ATTACH_PORTS_MAX);
	}
	return 0;
}

static int undo(struct work *w, struct err *e)
{
	int r;

	device_delete(&w->route, w->at.device);
	r = nft_delete(&w->nf, &w->at, e);
	return r < 0 ? r : attachment_release(w->net_fd, &w->at, e);
}

/* What an earlier start of this instance left when its monitor was killed. */
static int undo_earlier(struct work *w, struct err *e)
{
	struct err none = ERR_INIT;
	int r = attachment_read(w->net_fd, w->q->id, w->a, &w->at, &none);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		*e = none;
		return r;
	}
	return undo(w, e);
}

/* A MAC address that was asked for is nobody else's of the network, and will not be: the ones that
 * are made from addresses of the subnet belong to these addresses. */
static int check_mac(struct work *w, const char *made, struct err *e)
{
	struct attachment_list all;
	uint8_t mac[6], other[6];
	int r;

	if (netlink_mac_parse(w->q->mac, mac) < 0 || mac[0] & 1)
		return err_set(e, ERR_USAGE,
			       "--mac-address '%.60s' is no address of one device, such as "
			       "02:42:0a:00:00:05",
			       w->q->mac);
	if (network_reserves_mac(&w->net, mac) && !streq(made, w->at.mac))
		return err_set(e, ERR_CONFLICT,
			       "--mac-address %s: network '%s' makes it for itself or for another "
			       "address",
			       w->q->mac, w->net.name);
	r = attachment_list(w->net_fd, w->a, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (streq(all.v[i].network, w->net.name) &&
		    netlink_mac_parse(all.v[i].mac, other) == 0 && memcmp(mac, other, 6) == 0)
			r = err_set(e, ERR_CONFLICT,
				    "--mac-address %s: another instance of network '%s' has it",
				    w->q->mac, w->net.name);
	return r;
}

static int take_mac(struct work *w, struct err *e)
{
	struct netlink_ip ip;
	const char *made;
	uint8_t mac[6];

	(void)netlink_ip_parse(w->at.address, &ip);
	made = arena_printf(w->a, "02:42:%02x:%02x:%02x:%02x", ip.addr[0], ip.addr[1], ip.addr[2],
			    ip.addr[3]);
	w->at.mac = made;
	if (!w->q->mac)
		return 0;
	if (netlink_mac_parse(w->q->mac, mac) == 0)
		w->at.mac = arena_printf(w->a, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
					 mac[2], mac[3], mac[4], mac[5]);
	return check_mac(w, made, e);
}

/* Step 2 and 3, under the lock; what is taken is in w->at, also when this fails. */
static int take(struct work *w, size_t n_ports, int *fds, size_t *n_fds, struct err *e)
{
	const struct attach_request *q = w->q;
	int r;

	w->at = (struct attachment){
	    .id = q->id,
	    .network = w->net.name,
	    .table = arena_printf(w->a, "caisson%u", w->net.index),
	    .device = arena_printf(w->a, "c%uv%.10s", w->net.index, q->id),
	    .ports = {.v = arena_array(w->a, n_ports + 1, sizeof(struct attachment_port))},
	};
	w->recorded = true;
	r = attachment_lease(w->net_fd, &w->net, q->ip, q->id, w->a, &w->at.address, e);
	if (r == 0)
		r = take_mac(w, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < q->n_publish; i++) {
		bool hold =
		    w->at.ports.n + (size_t)(q->publish[i].port_last - q->publish[i].port_first) <
		    HOLD_MAX;

		r = attachment_reserve(w->net_fd, w->talk, &q->publish[i], q->id, w->a,
				       &w->at.ports, hold ? fds : NULL, n_fds, e);
		if (r < 0)
			return r;
	}
	return attachment_write(w->net_fd, &w->at, e);
}

/* A user's engine has a network of its own, which something must connect with the host's. */
static int way_out(struct work *w, struct err *e)
{
	struct netlink_link l;

	return netlink_link_get(&w->route, OUTSIDE_DEVICE, &l) == 0 ? 0 : aside_outside(w->talk, e);
}

static int locked_part(struct work *w, size_t n_ports, int *fds, size_t *n_fds, struct err *e)
{
	const char *name = w->q->network ? w->q->network : NETWORK_DEFAULT;
	auto_fd int lock = attachment_lock(w->net_fd, e);
	int r;

	if (lock < 0)
		return lock;
	r = network_find(w->q->root_fd, name, &w->route, w->a, &w->net, e);
	if (r == 0 && w->net.internal && n_ports)
		r = err_set(e, ERR_USAGE, "network '%s' is internal: no port of it is published",
			    name);
	if (r == 0)
		r = network_up(&w->net, &w->route, &w->bridge, e);
	if (r == 0 && w->talk >= 0)
		r = way_out(w, e);
	if (r == 0)
		r = manage_rules(w->q->root_fd, w->net_fd, &w->nf, w->a, e);
	if (r >= 0)
		r = undo_earlier(w, e);
	if (r < 0)
		return r;
	r = take(w, n_ports, fds, n_fds, e);
	if (r < 0) {
		/* Nothing of ours is in the kernel yet. */
		(void)attachment_release(w->net_fd, &w->at, NULL);
		w->recorded = false;
	}
	return r;
}

static void describe(const struct work *w, struct attach_result *out)
{
	struct plan_nic *nic = arena_alloc(w->a, sizeof(*nic));
	const char *len = strchr(w->net.subnet, '/');

	*nic = (struct plan_nic){
	    .name = "eth0",
	    .mac = w->at.mac,
	    .address = arena_printf(w->a, "%s%s", w->at.address, len),
	    .gateway = w->net.internal ? NULL : w->net.gateway,
	    .tap = out->tap_fd >= 0 ? w->at.device : NULL,
	    .mtu = w->net.mtu ? (int32_t)w->net.mtu : DEFAULT_MTU,
	};
	out->nics = (struct plan_nics){nic, 1};
	out->published = arena_array(w->a, w->at.ports.n + 1, sizeof(*out->published));
	out->n_published = w->at.ports.n;
	for (size_t i = 0; i < w->at.ports.n; i++) {
		const struct attachment_port *p = &w->at.ports.v[i];
		struct publish *to = &out->published[i];

		to->proto = (uint8_t)p->proto;
		to->host_first = to->host_last = (uint16_t)p->host_port;
		to->port_first = to->port_last = (uint16_t)p->port;
		if (!streq(p->host_ip, "0.0.0.0")) {
			to->family = AF_INET;
			(void)inet_pton(AF_INET, p->host_ip, to->host_ip);
		}
	}
}

static int files(const struct work *w, const struct attach_request *q, bool host_net,
		 struct arena *a, struct attach_result *out, struct err *e)
{
	int r = etc_files_resolv_conf(q, host_net, a, &out->resolv_conf, e);

	if (r == 0)
		r = etc_files_hosts(q, w ? w->at.address : NULL, w ? w->net.gateway : NULL, a,
				    &out->hosts, e);
	if (r == 0)
		out->hostname = arena_printf(a, "%s\n", q->hostname ? q->hostname : "");
	return r;
}

static int on_bridge(struct work *w, struct attach_result *out, struct err *e)
{
	size_t n_ports;
	int r = check_ports(w->q, &n_ports, e);

	if (r < 0)
		return r;
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
	out->port_fds = arena_array(w->a, n_ports + 1, sizeof(int));
	r = locked_part(w, n_ports, out->port_fds, &out->n_port_fds, e);
	if (r < 0)
		return r;
	r = w->q->isolation == PLAN_VM ? make_tap(w, out, e) : make_veth(w, out, e);
	if (r < 0)
		return r;
	r = port_switches(w, e);
	if (r == 0)
		r = nft_add(&w->nf, &w->at, e);
	if (r < 0)
		return r;
	describe(w, out);
	r = files(w, w->q, false, w->a, out, e);
	if (r == 0)
		settle(w);
	return r;
}

static int bridge_network(const struct attach_request *q, int talk, struct arena *a,
			  struct attach_result *out, struct err *e)
{
	struct work w = {
	    .q = q, .a = a, .talk = talk, .net_fd = -1, .route = {.fd = -1}, .nf = {.fd = -1}};
	int r;

	r = on_bridge(&w, out, e);
	if (r < 0 && w.recorded) {
		auto_fd int lock = attachment_lock(w.net_fd, NULL);

		if (lock >= 0)
			(void)undo(&w, NULL);
	}
	work_done(&w);
	return r;
}

static int attach_here(const struct attach_request *q, int talk, struct arena *a,
		       struct attach_result *out, struct err *e)
{
	const char *name = q->network ? q->network : NETWORK_DEFAULT;
	bool none = streq(name, "none"), host = streq(name, "host");
	struct attach_result res = {.netns_fd = -1, .tap_fd = -1};
	int r;

	if (!attachment_id_valid(q->id))
		return err_set(e, ERR_USAGE, "'%.64s' is not an instance id", q->id);
	if (host && q->isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "--network host: a VM has a kernel of its own and cannot share the "
			       "host's network; use bridge or none");
	if (none || host) {
		/* As with Docker, -p means nothing here. */
		r = none ? no_network(q, &res, e) : 0;
		if (r == 0)
			r = files(NULL, q, true, a, &res, e);
	} else {
		r = bridge_network(q, talk, a, &res, e);
	}
	if (r < 0) {
		attach_done(&res);
		return r;
	}
	*out = res;
	return 0;
}

/* ---- in a user's engine ---- */

/* An attach_result as text; its descriptors come beside, in the order of the flags. */
struct made {
	bool netns, tap;
	struct plan_nics nics;
	const char *resolv_conf, *hosts, *hostname;
	struct strs published;
};
static const struct jbind made_table = {
    sizeof(struct made),
    (const struct jbind_field[]){JB(struct made, netns, "netns", JBIND_BOOL),
				 JB(struct made, tap, "tap", JBIND_BOOL),
				 JB(struct made, nics, "nics", JBIND_LIST, .sub = &plan_nic_table),
				 JB(struct made, resolv_conf, "resolvConf", JBIND_STR),
				 JB(struct made, hosts, "hosts", JBIND_STR),
				 JB(struct made, hostname, "hostname", JBIND_STR),
				 JB(struct made, published, "published", JBIND_STRS), JB_END},
};

static int attach_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(8 << 20);
	struct attach_result res;
	struct made m;
	int r = attach_here(arg, talk, &a, &res, e);

	if (r < 0)
		return r;
	m = (struct made){res.netns_fd >= 0, res.tap_fd >= 0, res.nics,
			  res.resolv_conf,   res.hosts,	      res.hostname};
	for (size_t i = 0; i < res.n_published; i++) {
		auto_buf struct buf one = BUF_INIT(256);

		publish_write(&res.published[i], &one);
		arena_strs_add(&a, &m.published, arena_dup(&a, one.p));
	}
	jbind_write(&made_table, &m, &b);
	r = buf_fail(&b, "network", e);
	if (r < 0)
		return r;
	out->text = strdup(b.p);
	if (m.netns)
		out->fds[out->n_fds++] = res.netns_fd;
	if (m.tap)
		out->fds[out->n_fds++] = res.tap_fd;
	for (size_t i = 0; i < res.n_port_fds; i++)
		out->fds[out->n_fds++] = res.port_fds[i];
	return 0;
}

static int read_made(struct aside_made *made, struct arena *a, struct attach_result *out,
		     struct err *e)
{
	struct made m = {0};
	size_t at = 0;
	int r = jbind_parse(&made_table, made->text ? made->text : "",
			    made->text ? strlen(made->text) : 0, &m, a, "network", e);

	*out = (struct attach_result){.netns_fd = -1,
				      .tap_fd = -1,
				      .nics = m.nics,
				      .resolv_conf = m.resolv_conf,
				      .hosts = m.hosts,
				      .hostname = m.hostname};
	if (m.netns && at < made->n_fds)
		out->netns_fd = made->fds[at++];
	if (m.tap && at < made->n_fds)
		out->tap_fd = made->fds[at++];
	out->n_port_fds = made->n_fds - at;
	out->port_fds = arena_array(a, out->n_port_fds + 1, sizeof(int));
	memcpy(out->port_fds, made->fds + at, out->n_port_fds * sizeof(int));
	out->published = arena_array(a, m.published.n + 1, sizeof(*out->published));
	for (; r >= 0 && out->n_published < m.published.n; out->n_published++)
		r = publish_parse(m.published.v[out->n_published],
				  &out->published[out->n_published], e);
	if (r < 0)
		attach_done(out);
	return r;
}

static int attach_aside(const struct attach_request *q, struct arena *a, struct attach_result *out,
			struct err *e)
{
	struct attach_request copy = *q; /* the child's to read */
	struct aside_made made;
	int r;

	copy.resolver = OUTSIDE_DNS;
	r = aside_run(q->run_fd, attach_inside, &copy, &made, e);

	if (r >= 0)
		r = read_made(&made, a, out, e);
	free(made.text);
	return r;
}

int attach_instance(const struct attach_request *q, struct arena *a, struct attach_result *out,
		    struct err *e)
{
	/* The host's network is the one we are in. */
	bool host = q->network && streq(q->network, "host");
	int r;

	trace_begin(TRACE_NET);
	r = !host && aside_needed(q->run_fd) ? attach_aside(q, a, out, e)
					     : attach_here(q, -1, a, out, e);
	trace_end(TRACE_NET);
	return r;
}

/* ---- detaching ---- */

static int remove_one(int net_fd, struct nlmsg_sock *nf, const struct attachment *at, struct err *e)
{
	int r = nft_delete(nf, at, e);

	return r < 0 ? r : attachment_release(net_fd, at, e);
}

static int remove_here(int run_fd, const char *id, struct err *e)
{
	/* The kernel holds the last close of a socket that deleted elements until a grace period is
	 * over, 4 to 15 ms (nft_rcv_nl_event()): neither the lock nor the caller waits for that. */
	struct nlmsg_sock nf = NLMSG_SOCK_INIT;
	auto_fd int net = attachment_dir(run_fd, e), lock = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct attachment at;
	int r;

	if (net < 0)
		return net;
	if (!attachment_id_valid(id))
		return err_set(e, ERR_USAGE, "'%.64s' is not an instance id", id);
	lock = attachment_lock(net, e);
	if (lock < 0)
		return lock;
	r = attachment_read(net, id, &a, &at, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = nlmsg_open(&nf, NETLINK_NETFILTER);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "netlink");
	}
	r = remove_one(net, &nf, &at, e);
	nlmsg_close_behind(&nf);
	return r;
}

static int sweep_here(int run_fd, bool (*alive)(const char *id, void *arg), void *arg,
		      struct err *e)
{
	auto_nlmsg struct nlmsg_sock nf = NLMSG_SOCK_INIT, route = NLMSG_SOCK_INIT;
	auto_fd int net = attachment_dir(run_fd, e), lock = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct attachment_list all;
	size_t living;
	int r, removed = 0;

	if (net < 0)
		return net;
	lock = attachment_lock(net, e);
	if (lock < 0)
		return lock;
	r = attachment_dead(net, alive, arg, &a, &all, &living, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		if (nf.fd < 0 && (r = nlmsg_open(&nf, NETLINK_NETFILTER)) == 0)
			r = nlmsg_open(&route, NETLINK_ROUTE);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "netlink");
		}
		device_delete(&route, all.v[i].device);
		r = remove_one(net, &nf, &all.v[i], e);
		if (r < 0)
			return r;
		removed++;
	}
	r = attachment_orphans(net, alive, arg, living, e);
	return r < 0 ? r : removed;
}

struct going {
	int run_fd;
	const char *id;
	bool (*alive)(const char *id, void *arg);
	void *arg;
};

static int remove_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	const struct going *g = arg;

	return remove_here(g->run_fd, g->id, e);
}

static int sweep_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	const struct going *g = arg;

	return sweep_here(g->run_fd, g->alive, g->arg, e);
}

int attach_remove(int run_fd, const char *id, struct err *e)
{
	struct going g = {.run_fd = run_fd, .id = id};
	char record[96];

	/* Most have none when this is called a second time: then nobody has to go inside. */
	snprintf(record, sizeof(record), "net/attached/%.64s.json", id);
	if (aside_needed(run_fd) && faccessat(run_fd, record, F_OK, 0) == 0)
		return aside_run(run_fd, remove_inside, &g, NULL, e);
	return remove_here(run_fd, id, e);
}

int attach_sweep(int run_fd, bool (*alive)(const char *id, void *arg), void *arg, struct err *e)
{
	struct going g = {.run_fd = run_fd, .alive = alive, .arg = arg};

	if (aside_needed(run_fd))
		return aside_run(run_fd, sweep_inside, &g, NULL, e);
	return sweep_here(run_fd, alive, arg, e);
}

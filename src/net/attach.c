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
#include "net/cninet.h"
#include "net/direct.h"
#include "net/endpoint.h"
#include "net/etc_files.h"
#include "net/manage.h"
#include "net/nameproc.h"
#include "net/network.h"
#include "net/nft.h"
#include "net/outside.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

void attach_done(struct attach_result *r)
{
	fd_close(r->netns_fd);
	for (size_t i = 0; i < r->n_taps; i++)
		fd_close(r->tap_fds[i]);
	for (size_t i = 0; i < r->n_port_fds; i++)
		fd_close(r->port_fds[i]);
	r->netns_fd = -1;
	r->n_taps = r->n_port_fds = 0;
}

/* ---- the namespace ---- */

/* Defaults of a new namespace that the instance could not set itself: as Docker, every port may be
 * bound without privilege (the whole namespace is the instance's) and ping needs no raw socket.
 * Each of these opens costs 0.04 ms, and 0.4 ms when 500 namespaces have done so (/proc/sys finds a
 * name among those of all namespaces), so there are only these two. */
static void namespace_switches(bool wire)
{
	(void)file_put(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	(void)file_put(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	/* Where no rules of ours keep routers from offering themselves. */
	if (wire)
		(void)file_put(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_ra", "0");
}

/* Make a network namespace with lo up; *inner is a route socket inside.  The process is back where
 * it was when this returns: if it cannot go back, it cannot go on. */
static int namespace_make(bool wire, struct nlmsg_sock *inner, struct err *e)
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
		namespace_switches(wire);
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
	fd = namespace_make(false, &inner, e);
	if (fd < 0)
		return fd;
	out->netns_fd = fd;
	return 0;
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

/* What an earlier start of this instance left when its monitor was killed. */
static int undo_earlier(struct endpoint_work *w, struct err *e)
{
	struct attachment_list old;
	int r = attachment_of(w->net_fd, w->q->id, w->a, &old, e);

	for (size_t i = 0; r >= 0 && i < old.n; i++)
		r = endpoint_undo(w, &old.v[i], e);
	return r < 0 ? r : 0;
}

/* A user's engine has a network of its own, which something must connect with the host's. */
static int way_out(struct endpoint_work *w, struct err *e)
{
	struct netlink_link l;

	if (w->talk < 0)
		return 0;
	return netlink_link_get(&w->route, OUTSIDE_DEVICE, &l) == 0 ? 0 : aside_outside(w->talk, e);
}

/* All endpoints of one start. */
struct work {
	struct endpoint_work w;
	struct endpoint v[ATTACHMENT_SLOTS];
	size_t n;
	size_t main;	    /* the first that is not internal; n: none */
	bool wire, bridged; /* some are direct, some are not */
};

static int networks(struct work *k, struct err *e)
{
	int r = 0;

	k->main = k->n;
	for (size_t i = 0; r == 0 && i < k->n; i++) {
		r = endpoint_network(&k->v[i], e);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (streq(k->v[i].net.name, k->v[j].net.name))
				r = err_set(e, ERR_USAGE, "network '%s' is named twice",
					    k->v[i].net.name);
		if (r == 0 && !k->v[i].net.internal && k->main == k->n)
			k->main = i;
		if (r == 0 && direct_is(&k->v[i].net))
			k->wire = true;
		else
			k->bridged = true;
	}
	return r;
}

static int locked_part(struct work *k, size_t n_ports, int *fds, size_t *n_fds, struct err *e)
{
	struct endpoint_work *w = &k->w;
	auto_fd int lock = attachment_lock(w->net_fd, e);
	int r;

	if (lock < 0)
		return lock;
	r = networks(k, e);
	if (r == 0)
		r = way_out(w, e);
	if (r == 0 && k->bridged)
		r = manage_rules(w->q->root_fd, w->net_fd, &w->nf, w->a, e);
	if (r >= 0)
		r = undo_earlier(w, e);
	for (size_t i = 0; r >= 0 && i < k->n; i++)
		r = endpoint_take(&k->v[i], i == k->main, n_ports, fds, n_fds, e);
	for (size_t i = 0; r >= 0 && i < k->n; i++)
		r = endpoint_names(&k->v[i], e);
	return r;
}

static void published(const struct attachment_ports *ports, struct arena *a,
		      struct attach_result *out)
{
	out->published = arena_array(a, ports->n + 1, sizeof(*out->published));
	out->n_published = ports->n;
	for (size_t i = 0; i < ports->n; i++) {
		const struct attachment_port *p = &ports->v[i];
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

static void describe(struct work *k, struct attach_result *out)
{
	struct attachment_ports none = {0},
				*ports = k->main < k->n ? &k->v[k->main].at.ports : &none;
	struct plan_nic *nics = arena_array(k->w.a, k->n + 1, sizeof(*nics));

	for (size_t i = 0; i < k->n; i++)
		endpoint_describe(&k->v[i], k->w.q->isolation == PLAN_VM, &nics[i]);
	out->nics = (struct plan_nics){nics, k->n};
	published(ports, k->w.a, out);
}

/* addresses: its own; gateway: the host's, where it has one. */
static int files(const struct attach_request *q, const struct strs *addresses, const char *gateway,
		 const char *names_at, struct arena *a, struct attach_result *out, struct err *e)
{
	int r = etc_files_resolv_conf(q, !addresses, names_at, a, &out->resolv_conf, e);

	if (r == 0)
		r = etc_files_hosts(q, addresses, gateway, a, &out->hosts, e);
	if (r == 0)
		out->hostname = arena_printf(a, "%s\n", q->hostname ? q->hostname : "");
	return r;
}

int attach_files(const struct attach_request *q, struct arena *a, struct attach_result *out,
		 struct err *e)
{
	auto_fd int net = attachment_dir(q->run_fd, e);
	struct attachment_list have;
	const char *gateway = NULL, *names_at = NULL;
	struct strs addresses = {0};
	int r = net < 0 ? net : attachment_of(net, q->id, a, &have, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < have.n; i++) {
		arena_strs_add(a, &addresses, have.v[i].address);
		if (have.v[i].address6)
			arena_strs_add(a, &addresses, have.v[i].address6);
		if (!have.v[i].direct && (!gateway || have.v[i].main))
			gateway = have.v[i].gateway;
		if (!names_at && have.v[i].resolves)
			names_at = have.v[i].gateway;
	}
	return files(q, &addresses, gateway, names_at, a, out, e);
}

static int devices(struct work *k, struct attach_result *out, struct err *e)
{
	auto_nlmsg struct nlmsg_sock inner = NLMSG_SOCK_INIT;
	bool vm = k->w.q->isolation == PLAN_VM;
	int r = 0;

	if (!vm)
		out->netns_fd = r = namespace_make(k->wire, &inner, e);
	for (size_t i = 0; r >= 0 && i < k->n; i++) {
		if (!vm) {
			r = endpoint_veth(&k->v[i], out->netns_fd, &inner, e);
			continue;
		}
		r = endpoint_tap(&k->v[i], e);
		if (r >= 0)
			out->tap_fds[out->n_taps++] = r;
	}
	for (size_t i = 0; r >= 0 && i < k->n; i++)
		r = endpoint_plug(&k->v[i], e);
	return r < 0 ? r : 0;
}

static int on_bridges(struct work *k, struct attach_result *out, struct err *e)
{
	const char *gateway = NULL, *names_at = NULL;
	struct strs addresses = {0};
	size_t n_ports;
	int r = check_ports(k->w.q, &n_ports, e);

	if (r == 0)
		r = endpoint_work_open(&k->w, e);
	if (r < 0)
		return r;
	out->port_fds = arena_array(k->w.a, n_ports + 1, sizeof(int));
	r = locked_part(k, n_ports, out->port_fds, &out->n_port_fds, e);
	if (r == 0)
		r = devices(k, out, e);
	if (r < 0)
		return r;
	describe(k, out);
	for (size_t i = 0; i < k->n; i++) {
		arena_strs_add(k->w.a, &addresses, k->v[i].at.address);
		if (k->v[i].at.address6)
			arena_strs_add(k->w.a, &addresses, k->v[i].at.address6);
		/* Of a direct network it is not this host. */
		if (!k->v[i].at.direct && (!gateway || i == k->main))
			gateway = k->v[i].net.gateway;
		if (!names_at && k->v[i].at.resolves)
			names_at = k->v[i].net.gateway;
	}
	if (names_at)
		r = nameproc_wait(k->w.net_fd, k->w.q->libexec, e);
	if (r == 0)
		r = files(k->w.q, &addresses, gateway, names_at, k->w.a, out, e);
	for (size_t i = 0; r == 0 && i < k->n; i++)
		endpoint_settle(&k->v[i]);
	return r;
}

static int bridge_networks(const struct attach_request *q, int talk, struct arena *a,
			   struct attach_result *out, struct err *e)
{
	struct work *k = arena_alloc(a, sizeof(*k));
	int r;

	*k = (struct work){.w = {.q = q,
				 .a = a,
				 .talk = talk,
				 .net_fd = -1,
				 .route = NLMSG_SOCK_INIT,
				 .nf = NLMSG_SOCK_INIT},
			   .n = q->n_endpoints};
	for (size_t i = 0; i < k->n; i++)
		k->v[i] =
		    (struct endpoint){.w = &k->w, .want = &q->endpoints[i], .slot = (uint32_t)i};
	r = on_bridges(k, out, e);
	if (r < 0) {
		auto_fd int lock = k->w.net_fd >= 0 ? attachment_lock(k->w.net_fd, NULL) : -1;

		for (size_t i = 0; lock >= 0 && i < k->n; i++)
			if (k->v[i].recorded)
				(void)endpoint_undo(&k->w, &k->v[i].at, NULL);
	}
	endpoint_work_done(&k->w);
	return r;
}

/* ---- a network of plugins ---- */

/* Written before there is anything, so that a sweep finds it, and again when its address is known.
 * No device of the host can have that name. */
static int cni_record(struct endpoint_work *w, struct attachment *at, const struct cni_result *res,
		      struct err *e)
{
	auto_fd int lock = attachment_lock(w->net_fd, e);

	for (size_t i = 0; res && i < res->n; i++) {
		bool six = strchr(res->v[i].address, ':') != NULL;
		const char *address =
		    arena_dupn(w->a, res->v[i].address, strcspn(res->v[i].address, "/"));

		if (six && !at->address6) {
			at->address6 = address;
			at->gateway6 = res->v[i].gateway;
		} else if (!six && streq(at->address, "")) {
			at->address = address;
			at->gateway = res->v[i].gateway;
		}
	}
	if (res && res->mac)
		at->mac = res->mac;
	return lock < 0 ? lock : attachment_write(w->net_fd, at, e);
}

static int cni_take(struct endpoint_work *w, struct attachment *at, struct attach_result *out,
		    struct err *e)
{
	auto_fd int lock = attachment_lock(w->net_fd, e);
	int r = lock < 0 ? lock : undo_earlier(w, e);

	for (size_t i = 0; r == 0 && i < w->q->n_publish; i++)
		r = attachment_reserve(w->net_fd, w->talk, &w->q->publish[i], w->q->id, w->a,
				       &at->ports, out->port_fds, &out->n_port_fds, e);
	if (r == 0)
		r = attachment_write(w->net_fd, at, e);
	if (r < 0 && lock >= 0)
		(void)attachment_release(w->net_fd, at, NULL);
	return r;
}

static int cni_files(struct endpoint_work *w, const struct attachment *at,
		     const struct cni_result *res, struct attach_result *out, struct err *e)
{
	struct attach_request q = *w->q;
	struct strs addresses = {0};

	if (*at->address)
		arena_strs_add(w->a, &addresses, at->address);
	if (at->address6)
		arena_strs_add(w->a, &addresses, at->address6);
	/* What the plugins say, unless the user did. */
	if (!q.dns.n)
		q.dns = res->servers;
	if (!q.dns_search.n)
		q.dns_search = res->search;
	published(&at->ports, w->a, out);
	for (size_t i = 0; i < res->n && !out->nics.n; i++) {
		struct plan_nic *nic = arena_alloc(w->a, sizeof(*nic));

		*nic = (struct plan_nic){.name = "eth0",
					 .mac = at->mac,
					 .address = res->v[i].address,
					 .gateway = res->v[i].gateway};
		out->nics = (struct plan_nics){nic, 1};
	}
	return files(&q, &addresses, at->gateway, NULL, w->a, out, e);
}

static int cni_attach(struct endpoint_work *w, struct attachment *at, struct attach_result *out,
		      struct err *e)
{
	auto_nlmsg struct nlmsg_sock inner = NLMSG_SOCK_INIT;
	struct cni_result res = {0};
	int r = cni_take(w, at, out, e);

	if (r < 0)
		return r;
	out->netns_fd = r = namespace_make(true, &inner, e);
	if (r >= 0)
		r = cninet_add(w->net_fd, w->q->id, cninet_name(at->network), out->netns_fd,
			       &at->ports, w->a, &res, e);
	if (r == 0)
		r = cni_record(w, at, &res, e);
	if (r == 0)
		r = cni_files(w, at, &res, out, e);
	if (r < 0) {
		auto_fd int lock = attachment_lock(w->net_fd, NULL);

		(void)cninet_del(w->net_fd, w->q->id, NULL);
		if (lock >= 0)
			(void)attachment_release(w->net_fd, at, NULL);
	}
	return r;
}

static int cni_network(const struct attach_request *q, int talk, struct arena *a,
		       struct attach_result *out, struct err *e)
{
	struct endpoint_work w = {.q = q,
				  .a = a,
				  .talk = talk,
				  .net_fd = -1,
				  .route = NLMSG_SOCK_INIT,
				  .nf = NLMSG_SOCK_INIT};
	const char *network = q->endpoints[0].network;
	struct attachment at = {.id = q->id,
				.direct = true,
				.main = true,
				.network = network,
				.table = "-",
				.device = arena_printf(a, "cni:%.8s", q->id),
				.mac = "",
				.address = ""};
	struct cni_list l;
	size_t n_ports;
	int r;

	if (q->isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "--network %.80s: CNI plugins make an interface in a network "
			       "namespace, and a VM has none; use a bridge or macvlan network",
			       network);
	if (talk >= 0)
		return err_set(e, ERR_UNSUPPORTED, "--network %.80s: CNI plugins need root",
			       network);
	r = check_ports(q, &n_ports, e);
	if (r == 0)
		r = cninet_find(cninet_name(network), a, &l, e);
	if (r == 0)
		r = endpoint_work_open(&w, e);
	if (r < 0)
		return r;
	at.ports.v = arena_array(a, n_ports + 1, sizeof(*at.ports.v));
	out->port_fds = arena_array(a, n_ports + 1, sizeof(int));
	r = cni_attach(&w, &at, out, e);
	endpoint_work_done(&w);
	return r;
}

static bool only(const struct attach_request *q, const char *name)
{
	return q->n_endpoints == 1 && streq(q->endpoints[0].network, name);
}

static int attach_here(const struct attach_request *q, int talk, struct arena *a,
		       struct attach_result *out, struct err *e)
{
	bool none = only(q, "none") || !q->n_endpoints, host = only(q, "host");
	struct attach_result res = {.netns_fd = -1};
	int r;

	if (!attachment_id_valid(q->id))
		return err_set(e, ERR_USAGE, "'%.64s' is not an instance id", q->id);
	if (q->n_endpoints > ATTACHMENT_SLOTS)
		return err_set(e, ERR_LIMIT, "more than %d networks of one instance",
			       ATTACHMENT_SLOTS);
	if (host && q->isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "--network host: a VM has a kernel of its own and cannot share the "
			       "host's network; use bridge or none");
	if (none || host) {
		/* As with Docker, -p means nothing here. */
		r = none ? no_network(q, &res, e) : 0;
		if (r == 0)
			r = files(q, NULL, NULL, NULL, a, &res, e);
	} else if (cninet_name(q->endpoints[0].network)) {
		r = cni_network(q, talk, a, &res, e);
	} else {
		r = bridge_networks(q, talk, a, &res, e);
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
	bool netns;
	int32_t taps;
	struct plan_nics nics;
	const char *resolv_conf, *hosts, *hostname;
	struct strs published;
};
static const struct jbind made_table = {
    sizeof(struct made),
    (const struct jbind_field[]){JB(struct made, netns, "netns", JBIND_BOOL),
				 JB(struct made, taps, "taps", JBIND_I32),
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
	m = (struct made){res.netns_fd >= 0, (int32_t)res.n_taps, res.nics,
			  res.resolv_conf,   res.hosts,		  res.hostname};
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
	for (size_t i = 0; i < res.n_taps; i++)
		out->fds[out->n_fds++] = res.tap_fds[i];
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
				      .nics = m.nics,
				      .resolv_conf = m.resolv_conf,
				      .hosts = m.hosts,
				      .hostname = m.hostname};
	if (m.netns && at < made->n_fds)
		out->netns_fd = made->fds[at++];
	while (m.taps > 0 && out->n_taps < (size_t)m.taps && out->n_taps < ATTACH_NICS_MAX &&
	       at < made->n_fds)
		out->tap_fds[out->n_taps++] = made->fds[at++];
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
	bool host = only(q, "host");
	int r;

	trace_begin(TRACE_NET);
	r = !host && aside_needed(q->run_fd) ? attach_aside(q, a, out, e)
					     : attach_here(q, -1, a, out, e);
	trace_end(TRACE_NET);
	return r;
}

/* ---- detaching ---- */

static int remove_here(int run_fd, const char *id, struct err *e)
{
	/* The kernel holds the last close of a socket that deleted elements until a grace period is
	 * over, 4 to 15 ms (nft_rcv_nl_event()): neither the lock nor the caller waits for that. */
	struct nlmsg_sock nf = NLMSG_SOCK_INIT;
	auto_nlmsg struct nlmsg_sock route = NLMSG_SOCK_INIT;
	auto_fd int net = attachment_dir(run_fd, e), lock = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct attachment_list all;
	int r;

	if (net < 0)
		return net;
	if (!attachment_id_valid(id))
		return err_set(e, ERR_USAGE, "'%.64s' is not an instance id", id);
	lock = attachment_lock(net, e);
	if (lock < 0)
		return lock;
	r = attachment_of(net, id, &a, &all, e);
	if (r < 0 || !all.n)
		return r;
	r = nlmsg_open(&nf, NETLINK_NETFILTER);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "netlink");
	}
	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		if ((all.v[i].address6 || all.v[i].direct || all.v[i].limiter) &&
		    (route.fd >= 0 || nlmsg_open(&route, NETLINK_ROUTE) == 0))
			endpoint_forget(&route, &all.v[i]);
		r = nft_delete(&nf, &all.v[i], e);
		if (r >= 0 && cninet_name(all.v[i].network))
			r = cninet_del(net, id, e);
		if (r >= 0)
			r = attachment_release(net, &all.v[i], e);
	}
	nlmsg_close_behind(&nf);
	return r;
}

static int sweep_here(int run_fd, bool (*alive)(const char *id, void *arg), void *arg,
		      struct err *e)
{
	struct endpoint_work w = {
	    .net_fd = -1, .talk = -1, .route = NLMSG_SOCK_INIT, .nf = NLMSG_SOCK_INIT};
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
	if (r == 0 && all.n) {
		w.net_fd = net;
		r = nlmsg_open(&w.nf, NETLINK_NETFILTER);
		if (r == 0)
			r = nlmsg_open(&w.route, NETLINK_ROUTE);
		if (r < 0) {
			errno = -r;
			r = err_sys(e, "netlink");
		}
	}
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		r = endpoint_undo(&w, &all.v[i], e);
		removed += r == 0;
	}
	nlmsg_close(&w.nf);
	nlmsg_close(&w.route);
	if (r == 0)
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
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int net = aside_needed(run_fd) ? attachment_dir(run_fd, NULL) : -1;
	struct attachment_list all;

	/* Most have none when this is called a second time: then nobody has to go inside. */
	if (net >= 0 && (attachment_of(net, id, &a, &all, NULL) < 0 || all.n))
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

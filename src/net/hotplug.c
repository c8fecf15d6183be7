/* SPDX-License-Identifier: Apache-2.0 */
#include "net/hotplug.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "net/aside.h"
#include "net/attach.h"
#include "net/attachment.h"
#include "net/direct.h"
#include "net/endpoint.h"
#include "net/manage.h"
#include "net/nameproc.h"
#include "net/nft.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* A route socket inside.  A process that cannot go back cannot go on. */
static int enter(int ns, struct nlmsg_sock *inner, struct err *e)
{
	auto_fd int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0)
		return err_sys(e, "open own network namespace");
	if (setns(ns, CLONE_NEWNET) < 0)
		return err_sys(e, "enter the instance's network namespace");
	r = nlmsg_open(inner, NETLINK_ROUTE);
	/* Of a network without our rules no router's word is taken (net/attach.c). */
	(void)file_put(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	if (r < 0) {
		errno = -r;
		return err_sys(e, "netlink");
	}
	return 0;
}

static int begin(const struct hotplug *h, struct arena *a, struct endpoint_work *w,
		 struct nlmsg_sock *inner, struct err *e)
{
	int r;

	*w = (struct endpoint_work){.q = h->q,
				    .a = a,
				    .talk = -1,
				    .net_fd = -1,
				    .route = NLMSG_SOCK_INIT,
				    .nf = NLMSG_SOCK_INIT};
	if (!attachment_id_valid(h->q->id))
		return err_set(e, ERR_USAGE, "'%.64s' is not an instance id", h->q->id);
	r = endpoint_work_open(w, e);
	return r < 0 ? r : enter(h->netns_fd, inner, e);
}

/* ---- connecting ---- */

static int free_slot(const struct attachment_list *have, const struct endpoint *p, uint32_t *slot,
		     struct err *e)
{
	bool used[ATTACHMENT_SLOTS] = {false};

	for (size_t i = 0; i < have->n; i++) {
		if (streq(have->v[i].network, p->net.name))
			return err_set(e, ERR_CONFLICT, "it is connected to network '%s' already",
				       p->net.name);
		used[have->v[i].slot] = true;
	}
	for (*slot = 0; *slot < ATTACHMENT_SLOTS && used[*slot]; ++*slot)
		;
	return *slot < ATTACHMENT_SLOTS
		   ? 0
		   : err_set(e, ERR_LIMIT, "it is on %d networks, which is the most possible",
			     ATTACHMENT_SLOTS);
}

static bool has_main(const struct attachment_list *have)
{
	for (size_t i = 0; i < have->n; i++)
		if (have->v[i].main)
			return true;
	return false;
}

static int take(struct endpoint *p, struct err *e)
{
	struct endpoint_work *w = p->w;
	auto_fd int lock = attachment_lock(w->net_fd, e);
	struct attachment_list have;
	size_t none = 0;
	int r = lock < 0 ? lock : endpoint_network(p, e);

	if (r == 0 && !direct_is(&p->net))
		r = manage_rules(w->q->root_fd, w->net_fd, &w->nf, w->a, e);
	if (r >= 0)
		r = attachment_of(w->net_fd, w->q->id, w->a, &have, e);
	if (r >= 0)
		r = free_slot(&have, p, &p->slot, e);
	if (r < 0)
		return r;
	r = endpoint_take(p, !p->net.internal && !has_main(&have), 0, NULL, &none, e);
	return r < 0 ? r : endpoint_names(p, e);
}

static int connect_here(const struct hotplug *h, struct err *e)
{
	auto_nlmsg struct nlmsg_sock inner = NLMSG_SOCK_INIT;
	auto_arena struct arena a = ARENA_INIT;
	struct endpoint_work w;
	struct endpoint p = {.w = &w, .want = &h->q->endpoints[0]};
	int r = begin(h, &a, &w, &inner, e);

	if (r == 0)
		r = take(&p, e);
	if (r == 0)
		r = endpoint_veth(&p, h->netns_fd, &inner, e);
	if (r == 0)
		r = endpoint_plug(&p, e);
	if (r == 0 && p.at.resolves)
		r = nameproc_wait(w.net_fd, w.q->libexec, e);
	if (r == 0)
		endpoint_settle(&p);
	if (r < 0 && p.recorded) {
		auto_fd int lock = attachment_lock(w.net_fd, NULL);

		if (lock >= 0)
			(void)endpoint_undo(&w, &p.at, NULL);
	}
	endpoint_work_done(&w);
	return r;
}

/* ---- disconnecting ---- */

/* The next one that leads outside; NULL: none. */
static struct attachment *heir_of(struct endpoint_work *w, const struct attachment *gone,
				  struct attachment_list *have)
{
	for (size_t i = 0; i < have->n; i++) {
		struct network n;

		if (have->v[i].slot != gone->slot &&
		    network_find(w->q->root_fd, have->v[i].network, &w->route, w->a, &n, NULL) ==
			0 &&
		    !n.internal)
			return &have->v[i];
	}
	return NULL;
}

static int default_route(struct nlmsg_sock *inner, const struct attachment *at, struct err *e)
{
	struct netlink_route def = {0};
	struct netlink_link eth;
	char name[IFNAMSIZ];
	int r;

	snprintf(name, sizeof(name), "eth%u", at->slot);
	r = netlink_link_get(inner, name, &eth);
	if (r == 0) {
		def.index = eth.index;
		def.dst.family = at->gateway ? 0 : AF_INET;
		if (at->gateway)
			(void)netlink_ip_parse(at->gateway, &def.gateway);
		r = netlink_route_add(inner, &def);
	}
	if ((r == 0 || r == -EEXIST) && at->address6) {
		def = (struct netlink_route){.index = eth.index};
		def.dst.family = at->gateway6 ? 0 : AF_INET6;
		if (at->gateway6)
			(void)netlink_ip_parse(at->gateway6, &def.gateway);
		r = netlink_route_add(inner, &def);
	}
	if (r < 0 && r != -EEXIST) {
		errno = -r;
		return err_sys(e, "network '%s': default route", at->network);
	}
	return 0;
}

/* Records first, so that no two of them ever name one port: the rules could not be loaded anew. */
static int inherit(struct endpoint_work *w, struct attachment *gone, struct attachment *heir,
		   struct err *e)
{
	int r;

	heir->main = true;
	if (!heir->direct) {
		heir->ports = gone->ports;
		gone->ports.n = 0;
	}
	gone->main = false;
	r = attachment_write(w->net_fd, gone, e);
	if (r == 0)
		r = attachment_write(w->net_fd, heir, e);
	return r < 0 ? r : nft_add(&w->nf, heir, e);
}

/* The card of a direct network has no end outside that could be removed. */
static void unplug(struct nlmsg_sock *inner, const struct attachment *at)
{
	struct netlink_link eth;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "eth%u", at->slot);
	if (at->direct && netlink_link_get(inner, name, &eth) == 0)
		(void)netlink_link_del(inner, eth.index);
}

static int leave(struct endpoint_work *w, struct attachment_list *have, size_t at,
		 struct nlmsg_sock *inner, struct err *e)
{
	struct attachment *gone = &have->v[at];
	struct attachment *heir = gone->main ? heir_of(w, gone, have) : NULL;
	int r = nft_delete(&w->nf, gone, e);

	if (r == 0 && heir)
		r = inherit(w, gone, heir, e);
	if (r == 0) {
		unplug(inner, gone);
		r = endpoint_undo(w, gone, e);
	}
	/* The old one went with its device. */
	return r == 0 && heir ? default_route(inner, heir, e) : r;
}

static int disconnect_here(const struct hotplug *h, struct err *e)
{
	auto_nlmsg struct nlmsg_sock inner = NLMSG_SOCK_INIT;
	auto_arena struct arena a = ARENA_INIT;
	const char *name = h->q->endpoints[0].network;
	struct attachment_list have = {0};
	struct endpoint_work w;
	auto_fd int lock = -1;
	size_t at = 0;
	int r = begin(h, &a, &w, &inner, e);

	if (r == 0)
		lock = r = attachment_lock(w.net_fd, e);
	if (r >= 0)
		r = attachment_of(w.net_fd, h->q->id, &a, &have, e);
	while (r == 0 && at < have.n && !streq(have.v[at].network, name))
		at++;
	if (r == 0 && at == have.n)
		r = err_set(e, ERR_NOT_FOUND, "it is not connected to network '%s'", name);
	if (r == 0)
		r = leave(&w, &have, at, &inner, e);
	endpoint_work_done(&w);
	return r;
}

/* ---- in a user's engine ---- */

static int connect_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	return connect_here(arg, e);
}

static int disconnect_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	return disconnect_here(arg, e);
}

int hotplug_connect(const struct hotplug *h, struct err *e)
{
	struct hotplug copy = *h; /* the child's to read */

	return aside_needed(h->q->run_fd) ? aside_run(h->q->run_fd, connect_inside, &copy, NULL, e)
					  : connect_here(h, e);
}

int hotplug_disconnect(const struct hotplug *h, struct err *e)
{
	struct hotplug copy = *h;

	return aside_needed(h->q->run_fd)
		   ? aside_run(h->q->run_fd, disconnect_inside, &copy, NULL, e)
		   : disconnect_here(h, e);
}

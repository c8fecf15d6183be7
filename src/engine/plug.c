/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plug.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/join.h"
#include "engine/lookup.h"
#include "engine/netspec.h"
#include "engine/network_ctl.h"
#include "engine/plan_build.h"
#include "engine/request.h"
#include "engine/session.h"
#include "net/attach.h"
#include "net/attachment.h"
#include "net/cninet.h"
#include "net/hotplug.h"
#include "spec/plan.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>

#define REQUEST_MAX (2u << 20)
#define HOSTS_MAX   (256u << 10)

int plug_request(struct session *s, const struct instance *i, const struct request *q,
		 struct arena *a, struct attach_request *out, struct err *e)
{
	struct attach_endpoint *v;
	struct rate rate = {0};
	size_t n;
	int r = netspec_all(q, a, &v, &n, e);

	if (r == 0 && q->network_rate)
		r = rate_parse(q->network_rate, &rate, e);
	if (r < 0)
		return r;
	*out = (struct attach_request){
	    .rate = rate,
	    .root_fd = store_root_fd(s->store),
	    .run_fd = store_run_fd(s->store),
	    .libexec = s->libexec,
	    .id = i->id,
	    .name = i->name,
	    .hostname = plan_build_hostname(q, i->id, a),
	    .isolation = q->isolation,
	    .endpoints = v,
	    .n_endpoints = n,
	    .extra_hosts = q->hosts,
	    .dns = q->dns,
	    .dns_search = q->dns_search,
	    .dns_options = q->dns_options,
	};
	return 0;
}

/* ---- /etc/hosts of who runs ---- */

/* The workload can write this file: its other lines are its own, and its size anybody's guess. */
static void edit_hosts(int dir_fd, const char *address, const char *line)
{
	auto_free char *text = NULL;
	auto_buf struct buf b = BUF_INIT(2 * HOSTS_MAX);
	auto_fd int fd = openat(dir_fd, "hosts", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	size_t len = strlen(address);

	if (fd < 0 || fd_slurp(fd, HOSTS_MAX, &text) < 0)
		return;
	for (const char *p = text, *end; *p; p = end) {
		end = strchrnul(p, '\n');
		end += *end == '\n';
		if (strncmp(p, address, len) != 0 || p[len] != '\t')
			buf_add(&b, p, (size_t)(end - p));
	}
	if (line)
		buf_printf(&b, "%s\t%s\n", address, line);
	/* In place: it is mounted, so another file of this name would not be seen. */
	if (!b.failed && pwrite(fd, b.p, b.len, 0) == (ssize_t)b.len)
		(void)!ftruncate(fd, (off_t)b.len);
}

/* resolv.conf as it is written now; NULL when it cannot be told. */
static const char *resolver_text(const struct attach_request *rq, struct arena *a)
{
	struct attach_result out = {.resolv_conf = NULL};

	return attach_files(rq, a, &out, NULL) < 0 ? NULL : out.resolv_conf;
}

/* Unless the workload has written its own. */
static void edit_resolver(int dir_fd, const char *before, const char *after)
{
	auto_free char *text = NULL;
	auto_fd int fd = openat(dir_fd, "resolv.conf", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || !before || !after || streq(before, after) ||
	    fd_slurp(fd, HOSTS_MAX, &text) < 0 || !streq(text, before))
		return;
	if (pwrite(fd, after, strlen(after), 0) == (ssize_t)strlen(after))
		(void)!ftruncate(fd, (off_t)strlen(after));
}

/* ---- both ways ---- */

struct plug {
	struct session *s;
	struct store *store;
	struct arena *a;
	int dir; /* locked */
	struct instance i;
	struct request q;
	struct attach_endpoint *v;
	size_t n;
};

static int begin(struct plug *p, const struct lookup *l, struct err *e)
{
	int r = session_store(p->s, &p->store, e);

	if (r < 0)
		return r;
	p->dir = instance_lock(store_root_fd(p->store), l->i.id, e);
	if (p->dir < 0)
		return p->dir;
	/* As it is now. */
	r = instance_load(store_root_fd(p->store), l->i.id, p->a, &p->i, e);
	if (r == 0)
		r = jbind_parse(&request_table, p->i.request, strlen(p->i.request), &p->q, p->a,
				"request", e);
	return r < 0 ? r : netspec_all(&p->q, p->a, &p->v, &p->n, e);
}

static int check_modes(const struct plug *p, const struct network *n, struct err *e)
{
	const char *mode = p->q.network ? p->q.network : NETWORK_DEFAULT;

	if (streq(n->name, "host") || streq(n->name, "none"))
		return err_set(e, ERR_DENIED, "network '%s' takes no instance later on", n->name);
	if (join_other(mode) || streq(mode, "host") || streq(mode, "none") || cninet_name(mode))
		return err_set(
		    e, ERR_DENIED,
		    "instance '%s' was made with --network %.80s: it cannot be on others",
		    p->i.name, mode);
	return 0;
}

/* The namespace of a container that runs, -ENOENT for one that does not. */
static int running_netns(const struct plug *p, struct err *e)
{
	struct lookup l = {.i = p->i};
	int r;

	if (!instance_alive(store_run_fd(p->store), p->i.id))
		return -ENOENT;
	r = instance_state(store_root_fd(p->store), store_run_fd(p->store), p->i.id, p->a, &l.state,
			   e);
	if (r < 0)
		return r;
	/* It has ended, and its monitor is about to; or the monitor waits to start it again, with
	 * the record as it is then. */
	if (l.state.pid <= 0 || l.state.status == INSTANCE_EXITED)
		return -ENOENT;
	if (p->i.isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "instance '%s' is a vm that runs: its machine type (microvm) has no "
			       "slot for a network card that comes or goes; stop it first",
			       p->i.name);
	return join_netns(&l, e);
}

static int commit(struct plug *p, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(REQUEST_MAX);
	int r;

	netspec_set(&p->q, p->v, p->n, p->a);
	jbind_write(&request_table, &p->q, &b);
	r = buf_fail(&b, "request", e);
	if (r < 0)
		return r;
	p->i.request = arena_dupn(p->a, b.p, b.len);
	return instance_commit(p->dir, &p->i, !p->i.auto_remove, e);
}

static const char *address_on(const struct plug *p, const char *network)
{
	auto_fd int net = attachment_dir(store_run_fd(p->store), NULL);
	struct attachment_list have;

	if (net < 0 || attachment_of(net, p->i.id, p->a, &have, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < have.n; i++)
		if (streq(have.v[i].network, network))
			return have.v[i].address;
	return NULL;
}

/* ---- connecting ---- */

static int connect_running(struct plug *p, int ns, const struct attach_endpoint *want,
			   struct err *e)
{
	struct attach_request rq;
	const char *address, *before;
	int r = plug_request(p->s, &p->i, &p->q, p->a, &rq, e);

	if (r < 0)
		return r;
	before = resolver_text(&rq, p->a);
	rq.endpoints = want;
	rq.n_endpoints = 1;
	r = hotplug_connect(&(struct hotplug){&rq, ns}, e);
	if (r < 0)
		return r;
	address = address_on(p, want->network);
	if (address && rq.hostname)
		edit_hosts(p->dir, address, rq.hostname);
	edit_resolver(p->dir, before, resolver_text(&rq, p->a));
	return 0;
}

static int connect_it(struct plug *p, const struct network *n, const struct attach_endpoint *want,
		      struct err *e)
{
	struct attach_request rq = {.endpoints = want, .n_endpoints = 1};
	auto_fd int ns = -1;
	int r = check_modes(p, n, e);

	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (streq(p->v[i].network, n->name))
			r = err_set(e, ERR_CONFLICT, "instance '%s' is connected to it already",
				    p->i.name);
	if (r == 0 && p->n == ATTACH_NICS_MAX)
		r = err_set(e, ERR_LIMIT,
			    "instance '%s' is on %d networks, which is the most "
			    "possible",
			    p->i.name, ATTACH_NICS_MAX);
	if (r < 0)
		return r;
	p->v[p->n++] = *want;
	/* The same words are refused as by `run`. */
	netspec_set(&p->q, p->v, p->n, p->a);
	r = netspec_check(&p->q, e);
	if (r < 0)
		return r;
	ns = running_netns(p, e);
	if (ns < 0 && ns != -ENOENT)
		return ns;
	r = ns < 0 ? 0 : connect_running(p, ns, want, e);
	if (r < 0)
		return r;
	r = commit(p, e);
	if (r < 0 && ns >= 0) {
		rq.root_fd = store_root_fd(p->store);
		rq.run_fd = store_run_fd(p->store);
		rq.id = p->i.id;
		(void)hotplug_disconnect(&(struct hotplug){&rq, ns}, NULL);
	}
	return r;
}

int plug_connect(struct session *s, const struct network *n, const struct lookup *l,
		 const struct plug_want *want, struct err *e)
{
	const struct attach_endpoint to = {.network = n->name,
					   .ip = want->ip,
					   .ip6 = want->ip6,
					   .mac = want->mac,
					   .aliases = want->aliases};
	auto_arena struct arena a = ARENA_INIT;
	struct plug p = {.s = s, .a = &a, .dir = -1};
	int r = begin(&p, l, e);

	if (r == 0)
		r = connect_it(&p, n, &to, e);
	if (r == 0)
		eventlog_network(p.store, n, "connect", p.i.id);
	fd_close(p.dir);
	return r < 0 ? err_wrap(e, r, "network '%s'", n->name) : 0;
}

/* ---- disconnecting ---- */

static int disconnect_running(struct plug *p, int ns, const struct attach_endpoint *gone,
			      struct err *e)
{
	const char *address = address_on(p, gone->network), *before;
	struct attach_request rq;
	int r = plug_request(p->s, &p->i, &p->q, p->a, &rq, e);

	if (r < 0)
		return r;
	before = resolver_text(&rq, p->a);
	rq.endpoints = gone;
	rq.n_endpoints = 1;
	r = hotplug_disconnect(&(struct hotplug){&rq, ns}, e);
	/* A record that was written by a command that was killed behind it. */
	if (r == -ENOENT) {
		*e = ERR_INIT;
		r = 0;
	}
	if (r == 0 && address)
		edit_hosts(p->dir, address, NULL);
	if (r == 0)
		edit_resolver(p->dir, before, resolver_text(&rq, p->a));
	return r;
}

static int disconnect_it(struct plug *p, const struct network *n, struct err *e)
{
	struct attach_endpoint gone;
	auto_fd int ns = -1;
	size_t at = 0;
	int r = check_modes(p, n, e);

	if (r < 0)
		return r;
	while (at < p->n && !streq(p->v[at].network, n->name))
		at++;
	if (at == p->n)
		return err_set(e, ERR_NOT_FOUND, "instance '%s' is not connected to it", p->i.name);
	gone = p->v[at];
	ns = running_netns(p, e);
	if (ns < 0 && ns != -ENOENT)
		return ns;
	r = ns < 0 ? 0 : disconnect_running(p, ns, &gone, e);
	if (r < 0)
		return r;
	memmove(p->v + at, p->v + at + 1, (p->n - at - 1) * sizeof(*p->v));
	p->n--;
	return commit(p, e);
}

int plug_disconnect(struct session *s, const struct network *n, const struct lookup *l,
		    struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct plug p = {.s = s, .a = &a, .dir = -1};
	int r = begin(&p, l, e);

	if (r == 0)
		r = disconnect_it(&p, n, e);
	if (r == 0)
		eventlog_network(p.store, n, "disconnect", p.i.id);
	fd_close(p.dir);
	return r < 0 ? err_wrap(e, r, "network '%s'", n->name) : 0;
}

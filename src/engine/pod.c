/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/create.h"
#include "engine/image_pull.h"
#include "engine/request.h"
#include "engine/restart.h"
#include "engine/session.h"
#include "spec/plan.h"
#include "store/instance.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define HOLDER_IMAGE "caisson/tiny"
/* Ends at once when it is asked to, which process 1 passes on, and reaps what it is given. */
#define HOLDER "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done"

static bool has(const struct strs *l, const char *word)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], word))
			return true;
	return false;
}

bool pod_is(const struct instance *i)
{
	return i->pod && streq(i->pod, i->id);
}

/* ---- create ---- */

static int parse_share(const char *text, struct arena *a, struct strs *out, struct err *e)
{
	static const char *const words[] = {"ipc", "net", "pid", "uts", NULL};

	if (!*text || streq(text, "none"))
		text = "none";
	for (const char *at = text; *at; at += strcspn(at, ","), at += *at == ',') {
		const char *word = arena_dupn(a, at, strcspn(at, ","));
		bool known = streq(text, "none");

		for (const char *const *w = words; *w; w++)
			known |= streq(word, *w);
		if (streq(word, "cgroup") || streq(word, "user"))
			return err_set(e, ERR_UNSUPPORTED,
				       "--share %s is not possible: each container has its own "
				       "(ipc, net, pid and uts can be shared)",
				       word);
		if (!known)
			return err_set(e, ERR_USAGE,
				       "--share does not know '%.40s': ipc, net, pid, uts or none",
				       word);
		if (!has(out, word))
			arena_strs_add(a, out, word);
	}
	return 0;
}

static int check_want(const struct request *q, bool bare, struct err *e)
{
	const char *what = q->publish.n	     ? "publish"
			   : q->network	     ? "network"
			   : q->hostname     ? "hostname"
			   : q->hosts.n	     ? "add-host"
			   : q->dns.n	     ? "dns"
			   : q->ip	     ? "ip"
			   : q->mac	     ? "mac-address"
			   : q->sysctls.n    ? "sysctl"
			   : q->userns_mode  ? "userns"
			   : q->volumes.n    ? "volume"
			   : q->shm_bytes    ? "shm-size"
			   : q->memory_bytes ? "memory"
			   : q->nano_cpus    ? "cpus"
					     : NULL;

	if (bare && q->isolation == PLAN_VM)
		return err_set(e, ERR_USAGE,
			       "conflicting options: --infra=false and --isolation vm: the "
			       "machine is what the pod is");
	if (bare && what)
		return err_set(e, ERR_USAGE,
			       "conflicting options: --infra=false and --%s: nobody would have it",
			       what);
	if (q->isolation != PLAN_VM && (q->memory_bytes || q->nano_cpus))
		return err_set(e, ERR_UNSUPPORTED,
			       "--%s of a pod is the size of its machine (--isolation vm); give "
			       "each container its own",
			       q->memory_bytes ? "memory" : "cpus");
	return 0;
}

int pod_create(struct session *s, const struct request *want, const char *share, bool bare,
	       struct arena *a, struct instance *out, struct err *e)
{
	struct image_pull_opts pull = {.data = s->data, .signature_policy = s->signature_policy};
	struct request q = *want;
	auto_fd int dir = -1;
	int r = check_want(&q, bare, e);

	if (r == 0)
		r = parse_share(bare ? "none" : share ? share : POD_SHARE, a, &q.pod_share, e);
	if (r < 0)
		return r;
	if (!q.network && !bare && !has(&q.pod_share, "net") && q.isolation != PLAN_VM)
		q.network = "none";
	q.image = HOLDER_IMAGE;
	q.entrypoint_set = true;
	q.args = (struct strs){0};
	arena_strs_add(a, &q.args, "sh");
	arena_strs_add(a, &q.args, "-c");
	arena_strs_add(a, &q.args, HOLDER);
	q.init = true;
	q.pod_bare = bare;
	if (!q.hostname && q.name && !(q.network && streq(q.network, "host")))
		q.hostname = strlen(q.name) <= 64 ? q.name : NULL;
	if (has(&q.pod_share, "ipc") && q.isolation != PLAN_VM)
		q.ipc_mode = "shareable";
	dir = create_instance(s, &q, &pull, a, out, e);
	return dir < 0 ? dir : 0;
}

/* ---- find ---- */

int pod_find(struct session *s, const char *what, struct arena *a, struct lookup *out,
	     struct err *e)
{
	struct err why = ERR_INIT;
	struct lookup l;
	int r = lookup_find(s, what, a, &l, &why);

	if (r == -ENOENT || (r == 0 && !pod_is(&l.i)))
		return err_set(e, ERR_NOT_FOUND, "no such pod: %.128s", what);
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	*out = l;
	return 0;
}

static int oldest_first(const void *x, const void *y)
{
	const struct lookup *p = x, *q = y;

	return p->i.created_ns < q->i.created_ns ? -1 : p->i.created_ns > q->i.created_ns;
}

int pod_members(struct session *s, const char *id, struct arena *a, struct lookups *out,
		struct err *e)
{
	struct lookups all, l = {0};
	int r = lookup_all(s, a, &all, e);

	if (r < 0)
		return r;
	l.v = arena_array(a, all.n + 1, sizeof(*l.v));
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].i.pod && streq(all.v[i].i.pod, id) && !pod_is(&all.v[i].i))
			l.v[l.n++] = all.v[i];
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), oldest_first);
	*out = l;
	return 0;
}

/* ---- members ---- */

static int conflict(const char *option, const char *why, struct err *e)
{
	return err_set(e, ERR_USAGE, "conflicting options: --%s and --pod: %s", option, why);
}

static int check_member(const struct request *q, const struct request *pod, struct err *e)
{
	static const char theirs[] = "it is the pod's to say (pod create)";
	const char *option = NULL;

	if (has(&pod->pod_share, "net"))
		option = q->network					 ? "network"
			 : q->publish.n					 ? "publish"
			 : q->publish_all				 ? "publish-all"
			 : q->ip					 ? "ip"
			 : q->mac					 ? "mac-address"
			 : q->aliases.n					 ? "network-alias"
			 : q->dns.n + q->dns_search.n + q->dns_options.n ? "dns"
			 : q->hosts.n					 ? "add-host"
			 : q->hostname					 ? "hostname"
									 : NULL;
	if (!option && has(&pod->pod_share, "uts"))
		option = q->hostname ? "hostname" : q->uts_host ? "uts" : NULL;
	if (!option && has(&pod->pod_share, "ipc") && q->ipc_mode && *q->ipc_mode)
		option = "ipc";
	if (!option && has(&pod->pod_share, "pid") && q->pid_mode && *q->pid_mode)
		option = "pid";
	if (!option && !pod->pod_bare && q->userns_mode && *q->userns_mode)
		option = "userns";
	if (option)
		return conflict(option, theirs, e);
	if (q->machine)
		return conflict("in", "the pod says where", e);
	if (q->isolation == PLAN_VM && pod->isolation != PLAN_VM)
		return conflict("isolation vm",
				"a pod of VMs is one machine: pod create --isolation vm, and "
				"containers in it",
				e);
	return 0;
}

int pod_new(struct session *s, struct request *q, struct arena *a, struct instance *made,
	    struct err *e)
{
	const char *name = str_after(q->pod, "new:");
	struct request pod = {
	    .name = name,
	    .isolation = q->isolation,
	    .network = q->network,
	    .ip = q->ip,
	    .ip6 = q->ip6,
	    .mac = q->mac,
	    .aliases = q->aliases,
	    .networks = q->networks,
	    .publish = q->publish,
	    .dns = q->dns,
	    .dns_search = q->dns_search,
	    .dns_options = q->dns_options,
	    .hosts = q->hosts,
	    .hostname = q->hostname,
	};
	int r;

	*made = (struct instance){0};
	if (!name)
		return 0;
	if (!*name)
		return err_set(e, ERR_USAGE, "--pod new: wants a name behind it");
	if (q->publish_all)
		return conflict("publish-all", "say which ports of a new pod are published", e);
	r = pod_create(s, &pod, NULL, false, a, made, e);
	if (r < 0)
		return err_wrap(e, r, "--pod");
	q->pod = made->id;
	q->isolation = PLAN_CONTAINER;
	q->network = q->ip = q->ip6 = q->mac = q->hostname = NULL;
	q->aliases = q->networks = q->publish = q->dns = q->dns_search = q->dns_options = q->hosts =
	    (struct strs){0};
	return 0;
}

int pod_join(struct session *s, struct request *q, struct arena *a, struct err *e)
{
	struct request pod = {0};
	const char *other;
	struct lookup l;
	int r = pod_find(s, q->pod, a, &l, e);

	if (r == 0)
		r = jbind_parse(&request_table, l.i.request, strlen(l.i.request), &pod, a,
				"request", e);
	if (r == 0)
		r = check_member(q, &pod, e);
	if (r < 0)
		return r;
	q->pod = l.i.id;
	if (l.i.isolation == PLAN_VM) {
		q->machine = l.i.id;
		q->machine_share = pod.pod_share;
	}
	other = arena_printf(a, "container:%s", l.i.id);
	if (!q->machine && has(&pod.pod_share, "net"))
		q->network = pod.network && streq(pod.network, "host") ? "host" : other;
	if (!q->machine && has(&pod.pod_share, "ipc"))
		q->ipc_mode = other;
	if (!q->machine && has(&pod.pod_share, "pid"))
		q->pid_mode = other;
	if (!q->machine && has(&pod.pod_share, "uts"))
		q->uts_mode = other;
	if (l.i.mounts.n && !q->pod_own_mounts) {
		struct strs from = {0};

		arena_strs_add(a, &from, l.i.id);
		for (size_t i = 0; i < q->volumes_from.n; i++)
			arena_strs_add(a, &from, q->volumes_from.v[i]);
		q->volumes_from = from;
	}
	if (!q->restart && !q->auto_remove)
		q->restart = pod.restart;
	return 0;
}

int pod_hold(struct session *s, const struct request *q, struct err *e)
{
	int fd = instance_lock(store_root_fd(s->store), q->pod, NULL);

	return fd < 0 ? err_set(e, ERR_NOT_FOUND, "no such pod: %.12s", q->pod) : fd;
}

/* The members that start at the same time wait here for the first of them. */
static int one_by_one(struct store *store, const char *id, struct err *e)
{
	char path[96];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "instances/%.64s/record.json", id);
	fd = openat(store_root_fd(store), path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_NOT_FOUND, "no such pod: %.12s", id);
	if (flock(fd, LOCK_EX) < 0)
		return err_sys(e, "lock of the pod");
	return take_fd(&fd);
}

int pod_wake(struct session *s, const struct request *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request pod = {0};
	struct lookup l;
	auto_fd int turn = one_by_one(s->store, q->pod, e);
	int r = turn < 0 ? turn : pod_find(s, q->pod, &a, &l, e);

	if (r == 0)
		r = jbind_parse(&request_table, l.i.request, strlen(l.i.request), &pod, &a,
				"request", e);
	if (r < 0 || pod.pod_bare)
		return r;
	r = restart_start(s, &l.i, e);
	return r < 0 ? err_wrap(e, r, "pod '%s'", l.i.name) : 0;
}

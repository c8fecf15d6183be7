/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_ctl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/eventlog.h"
#include "engine/hostconfig.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/plan_build.h"
#include "engine/pod.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/restart.h"
#include "engine/session.h"
#include "engine/stop.h"
#include "fmt/json.h"
#include "spec/plan.h"
#include "store/instance.h"
#include "store/store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- verbs ---- */

static bool up(const struct lookup *l)
{
	return l->state.status == INSTANCE_RUNNING || l->state.status == INSTANCE_PAUSED ||
	       l->state.status == INSTANCE_RESTARTING;
}

static bool bare(const struct lookup *pod)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};

	return jbind_parse(&request_table, pod->i.request, strlen(pod->i.request), &q, &a,
			   "request", NULL) == 0 &&
	       q.pod_bare;
}

/* One child each: a member that takes its ten seconds does not make the others wait.  A child says
 * what failed through a pipe (base/err.h: one write). */
struct stopping {
	pid_t pid;
	int from;
};

static struct stopping stop_begin(struct session *s, const struct lookup *l,
				  const struct control_stop *how)
{
	struct stopping st = {.pid = -1, .from = -1};
	int fd[2];

	if (!up(l) || pipe2(fd, O_CLOEXEC) < 0)
		return st;
	st.pid = fork();
	if (st.pid == 0) {
		struct err e = ERR_INIT;

		if (stop_instance(s, &l->i, how, &e) < 0 && write(fd[1], &e, sizeof(e)) < 0)
			_exit(1);
		_exit(0);
	}
	close(fd[1]);
	st.from = fd[0];
	if (st.pid < 0) {
		close(fd[0]);
		st.from = -1;
	}
	return st;
}

static int stop_end(struct session *s, struct stopping *st, const struct lookup *l,
		    const struct control_stop *how, struct err *e)
{
	struct err why = ERR_INIT;
	ssize_t n;

	if (st->pid < 0)
		return stop_instance(s, &l->i, how, e);
	while ((n = read(st->from, &why, sizeof(why))) < 0 && errno == EINTR)
		;
	close(st->from);
	while (waitpid(st->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return n == sizeof(why) ? err_set(e, why.kind, "%s", why.msg) : 0;
}

static int stop_all(struct session *s, const struct lookups *members,
		    const struct control_stop *how, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct stopping *st = arena_array(&a, members->n + 1, sizeof(*st));
	int ret = 0;

	for (size_t i = 0; i < members->n; i++)
		st[i] = stop_begin(s, &members->v[i], how);
	for (size_t i = 0; i < members->n; i++) {
		struct err why = ERR_INIT;
		int r = stop_end(s, &st[i], &members->v[i], how, &why);

		if (r < 0 && ret == 0)
			ret = err_set(e, why.kind, "%s", why.msg);
	}
	return ret;
}

/* Those of a holder that was not there live in namespaces that nobody has any more. */
static int start_one(struct session *s, const struct lookup *l, bool anew, struct err *e)
{
	struct control_stop now = {0};

	return anew && up(l) ? restart_instance(s, l, &now, e) : restart_start(s, &l->i, e);
}

static int start_all(struct session *s, const struct lookup *pod, const struct lookups *members,
		     struct err *e)
{
	bool anew = !up(pod) && !bare(pod);
	int ret = bare(pod) ? 0 : restart_start(s, &pod->i, e);

	for (size_t i = 0; ret >= 0 && i < members->n; i++) {
		struct err why = ERR_INIT;
		int r = start_one(s, &members->v[i], anew, &why);

		if (r < 0)
			ret = err_set(e, why.kind, "%s", why.msg);
	}
	return ret;
}

static int one(struct session *s, const struct lookup *l, enum pod_ctl_verb verb,
	       const struct control_stop *how, struct err *e)
{
	int r;

	if (verb == POD_CTL_KILL)
		r = up(l) ? conn_signal(s, l->i.id, (int)how->signal, e) : 0;
	else if (verb == POD_CTL_PAUSE)
		r = l->state.status == INSTANCE_RUNNING ? conn_simple(s, l->i.id, WIRE_PAUSE, e)
							: 0;
	else
		r = l->state.status == INSTANCE_PAUSED ? conn_simple(s, l->i.id, WIRE_RESUME, e)
						       : 0;
	return r < 0 && e->kind == ERR_CONFLICT && !instance_alive(store_run_fd(s->store), l->i.id)
		   ? 0
		   : r;
}

static int each(struct session *s, const struct lookup *pod, const struct lookups *members,
		enum pod_ctl_verb verb, const struct control_stop *how, struct err *e)
{
	int ret = 0;

	/* A machine stands still with all that is in it. */
	if (pod->i.isolation == PLAN_VM && (verb == POD_CTL_PAUSE || verb == POD_CTL_UNPAUSE))
		return one(s, pod, verb, how, e);
	for (size_t i = 0; i <= members->n; i++) {
		/* A frozen machine hears nothing: it goes last, and comes back first. */
		size_t at = verb == POD_CTL_UNPAUSE ? i - 1 : i;
		const struct lookup *l = at < members->n ? &members->v[at] : pod;
		struct err why = ERR_INIT;
		int r = one(s, l, verb, how, &why);

		if (r < 0 && ret == 0)
			ret = err_set(e, why.kind, "%s", why.msg);
	}
	return ret;
}

static void told(struct session *s, const struct lookup *pod, enum pod_ctl_verb verb)
{
	static const char *const names[] = {"start", "stop", "restart", "kill", "pause", "unpause"};

	eventlog_thing(s->store, "pod", names[verb], pod->i.id, pod->i.name);
}

int pod_ctl_all(struct session *s, const struct lookup *pod, enum pod_ctl_verb verb,
		const struct control_stop *how, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup again = *pod;
	struct lookups members;
	int r = pod_members(s, pod->i.id, &a, &members, e);

	if (r < 0)
		return r;
	if (verb == POD_CTL_STOP || verb == POD_CTL_RESTART) {
		r = stop_all(s, &members, how, e);
		if (r == 0)
			r = stop_instance(s, &pod->i, how, e);
		r = r < 0 ? r : 0; /* it had stopped already */
		if (r == 0 && verb == POD_CTL_RESTART)
			r = pod_find(s, pod->i.id, &a, &again, e);
		if (r == 0 && verb == POD_CTL_RESTART)
			r = pod_members(s, pod->i.id, &a, &members, e);
	}
	if (r == 0 && (verb == POD_CTL_START || verb == POD_CTL_RESTART))
		r = start_all(s, &again, &members, e);
	else if (r == 0 && verb >= POD_CTL_KILL)
		r = each(s, pod, &members, verb, how, e);
	if (r == 0)
		told(s, pod, verb);
	return r;
}

/* ---- remove ---- */

int pod_ctl_remove(struct session *s, const struct lookup *pod, bool force,
		   const struct control_stop *how, struct err *e)
{
	unsigned int flags = REMOVE_VOLUMES | (force ? REMOVE_FORCE : 0u);
	int r;

	do {
		auto_arena struct arena a = ARENA_INIT;
		struct lookups l;

		r = pod_members(s, pod->i.id, &a, &l, e);
		for (size_t i = 0; r == 0 && !force && i < l.n; i++)
			if (up(&l.v[i]))
				return err_set(e, ERR_CONFLICT,
					       "cannot remove pod '%s': instance '%s' runs in it; "
					       "stop it before removing, or use --force",
					       pod->i.name, l.v[i].i.name);
		if (r == 0 && force)
			r = stop_all(s, &l, how, e);
		for (size_t i = 0; r == 0 && i < l.n; i++) {
			r = remove_instance(s, &l.v[i].i, flags, e);
			if (r == -ENOENT) { /* by itself, or by somebody else */
				*e = ERR_INIT;
				r = 0;
			}
		}
		/* Of the holder nobody waits for anything. */
		if (r == 0)
			r = remove_instance(s, &pod->i, flags | REMOVE_FORCE | REMOVE_POD, e);
		if (r < 0 && force && e->kind == ERR_CONFLICT) {
			/* Somebody made one more member meanwhile: then that one, too. */
			struct err ignored = ERR_INIT;

			if (pod_members(s, pod->i.id, &a, &l, &ignored) < 0 || !l.n)
				break;
			*e = ERR_INIT;
			continue;
		}
		break;
	} while (true);
	if (r == 0)
		eventlog_thing(s->store, "pod", "remove", pod->i.id, pod->i.name);
	return r;
}

int pod_ctl_prune(struct session *s, struct arena *a, struct strs *out, struct err *e)
{
	struct strs none = {0};
	struct lookups pods;
	int r = pod_ctl_list(s, &none, a, &pods, e);

	for (size_t i = 0; r == 0 && i < pods.n; i++) {
		struct control_stop now = {.signal = SIGKILL};
		struct lookups members;
		const char *status;

		r = pod_members(s, pods.v[i].i.id, a, &members, e);
		if (r < 0)
			break;
		status = pod_ctl_status(&pods.v[i], &members);
		if (streq(status, "Running") || streq(status, "Degraded") ||
		    streq(status, "Paused"))
			continue;
		r = pod_ctl_remove(s, &pods.v[i], false, &now, e);
		if (r == 0) {
			arena_strs_add(a, out, pods.v[i].i.id);
		} else if (r == -EBUSY || r == -ENOENT) { /* started or removed meanwhile */
			*e = ERR_INIT;
			r = 0;
		}
	}
	return r;
}

/* ---- what is told ---- */

const char *pod_ctl_status(const struct lookup *pod, const struct lookups *members)
{
	bool holder = !bare(pod);
	size_t run = holder && up(pod), paused = 0, created = 0, all = members->n + holder;

	for (size_t i = 0; i < members->n; i++) {
		run += up(&members->v[i]);
		paused += members->v[i].state.status == INSTANCE_PAUSED;
		created += members->v[i].state.status == INSTANCE_CREATED;
	}
	if ((members->n && paused == members->n) ||
	    (pod->i.isolation == PLAN_VM && pod->state.status == INSTANCE_PAUSED))
		return "Paused";
	if (run && run == all)
		return "Running";
	if (run)
		return "Degraded";
	if (created == members->n && (!holder || pod->state.status == INSTANCE_CREATED))
		return "Created";
	return "Exited";
}

static const char *cut(const char *id, bool full, struct arena *a)
{
	return full ? id : arena_dupn(a, id, INSTANCE_SHORT_ID);
}

static const char *joined(const struct strs *l, struct arena *a)
{
	const char *text = "";

	for (size_t i = 0; i < l->n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", l->v[i]);
	return text;
}

static void containers(struct members *w, const struct lookup *pod, const struct lookups *l,
		       bool full, struct arena *a)
{
	members_array(w, "Containers");
	for (size_t i = 0; i <= l->n; i++) {
		const struct lookup *c = i ? &l->v[i - 1] : pod;

		if (!i && bare(pod))
			continue;
		members_item(w);
		members_str(w, "Id", cut(c->i.id, full, a));
		members_str(w, "Names", c->i.name);
		members_str(w, "Name", c->i.name);
		members_str(w, "Status", lookup_status(c));
		members_str(w, "State", lookup_status(c));
		members_close(w);
	}
	members_end(w);
}

static int request_of(const struct lookup *pod, struct arena *a, struct request *q, struct err *e)
{
	*q = (struct request){0};
	return jbind_parse(&request_table, pod->i.request, strlen(pod->i.request), q, a, "request",
			   e);
}

int pod_ctl_row(struct session *s, const struct lookup *pod, bool full, int64_t now_ns,
		struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct members w = {.b = out};
	struct lookups l;
	struct request q;
	int r = request_of(pod, &a, &q, e);

	if (r == 0)
		r = pod_members(s, pod->i.id, &a, &l, e);
	if (r < 0)
		return r;
	buf_puts(out, "{");
	members_str(&w, "Id", cut(pod->i.id, full, &a));
	members_str(&w, "ID", cut(pod->i.id, full, &a));
	members_str(&w, "Name", pod->i.name);
	members_str(&w, "Status", pod_ctl_status(pod, &l));
	members_str(&w, "Created",
		    arena_printf(&a, "%s ago", lookup_duration(now_ns - pod->i.created_ns, &a)));
	members_stamp(&w, "CreatedAt", pod->i.created_ns);
	members_str(&w, "InfraId", q.pod_bare ? "" : cut(pod->i.id, full, &a));
	members_num(&w, "NumberOfContainers", (int64_t)l.n + !q.pod_bare);
	members_str(&w, "Isolation", plan_isolation_names[pod->i.isolation]);
	members_str(&w, "Networks", q.pod_bare ? "" : q.network ? q.network : "bridge");
	members_str(&w, "Labels", joined(&pod->i.labels, &a));
	members_str(&w, "Share", joined(&q.pod_share, &a));
	containers(&w, pod, &l, full, &a);
	buf_puts(out, "}");
	return buf_fail(out, "description", e);
}

static void holder(struct members *w, const struct lookup *pod, const struct request *q,
		   struct arena *a)
{
	members_open(w, "InfraConfig");
	hostconfig_ports(w, "PortBindings", &pod->i.ports, a);
	members_yes(w, "HostNetwork", q->network && streq(q->network, "host"));
	members_str(w, "StaticIP", q->ip);
	members_str(w, "StaticMAC", q->mac);
	members_list(w, "DNSServer", &q->dns, "[]");
	members_list(w, "DNSSearch", &q->dns_search, "[]");
	members_list(w, "DNSOption", &q->dns_options, "[]");
	members_list(w, "HostAdd", &q->hosts, "[]");
	members_key(w, "Networks");
	buf_puts(w->b, "[");
	json_quote(w->b, q->network ? q->network : "bridge");
	buf_puts(w->b, "]");
	members_close(w);
}

int pod_ctl_inspect(struct session *s, const struct lookup *pod, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct members w = {.b = out};
	struct strs none = {0};
	struct lookups l;
	struct request q;
	bool shares;
	int r = request_of(pod, &a, &q, e);

	if (r == 0)
		r = pod_members(s, pod->i.id, &a, &l, e);
	if (r < 0)
		return r;
	shares = q.pod_share.n && !streq(q.pod_share.v[0], "none");
	buf_puts(out, "{");
	members_str(&w, "Id", pod->i.id);
	members_str(&w, "Name", pod->i.name);
	members_stamp(&w, "Created", pod->i.created_ns);
	members_str(&w, "State", pod_ctl_status(pod, &l));
	members_str(&w, "Hostname", q.pod_bare ? "" : plan_build_hostname(&q, pod->i.id, &a));
	members_map(&w, "Labels", &pod->i.labels, &a);
	members_str(&w, "Isolation", plan_isolation_names[pod->i.isolation]);
	members_yes(&w, "CreateInfra", !q.pod_bare);
	members_str(&w, "InfraContainerID", q.pod_bare ? "" : pod->i.id);
	if (!q.pod_bare)
		holder(&w, pod, &q, &a);
	members_list(&w, "SharedNamespaces", shares ? &q.pod_share : &none, "[]");
	members_str(&w, "RestartPolicy", q.restart ? q.restart : "no");
	members_num(&w, "NumContainers", (int64_t)l.n + !q.pod_bare);
	containers(&w, pod, &l, true, &a);
	buf_puts(out, "}");
	return buf_fail(out, "description", e);
}

/* ---- list ---- */

static bool label_fits(const struct strs *l, const char *want)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *rest = str_after(l->v[i], want);

		if (rest && (!*rest || (*rest == '=' && !strchr(want, '='))))
			return true;
	}
	return false;
}

static bool lower_same(const char *a, const char *b)
{
	while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b))
		a++, b++;
	return !*a && !*b;
}

static bool a_member(const struct lookups *l, const char *want, bool id)
{
	for (size_t i = 0; i < l->n; i++)
		if (id ? str_after(l->v[i].i.id, want) != NULL
		       : strstr(l->v[i].i.name, want) != NULL)
			return true;
	return false;
}

/* 1 it fits, 0 it does not, or an error. */
static int fits(struct session *s, const struct lookup *pod, const char *f, struct arena *a,
		struct err *e)
{
	const char *want;
	struct request q;
	struct lookups l;
	int r;

	if ((want = str_after(f, "id=")))
		return str_after(pod->i.id, want) != NULL;
	if ((want = str_after(f, "name=")))
		return strstr(pod->i.name, want) != NULL;
	if ((want = str_after(f, "label=")))
		return label_fits(&pod->i.labels, want);
	if ((want = str_after(f, "network="))) {
		r = request_of(pod, a, &q, e);
		return r < 0 ? r : !q.pod_bare && streq(q.network ? q.network : "bridge", want);
	}
	r = pod_members(s, pod->i.id, a, &l, e);
	if (r < 0)
		return r;
	if ((want = str_after(f, "status=")))
		return lower_same(pod_ctl_status(pod, &l), want);
	if ((want = str_after(f, "ctr-names=")))
		return a_member(&l, want, false);
	if ((want = str_after(f, "ctr-ids=")))
		return a_member(&l, want, true);
	if ((want = str_after(f, "ctr-number=")))
		return (size_t)strtoull(want, NULL, 10) == l.n + !bare(pod);
	return err_set(e, ERR_USAGE,
		       "--filter does not know '%.60s' (id=, name=, label=, status=, network=, "
		       "ctr-names=, ctr-ids=, ctr-number=)",
		       f);
}

int pod_ctl_list(struct session *s, const struct strs *filters, struct arena *a,
		 struct lookups *out, struct err *e)
{
	struct lookup none = {.i = {.id = "", .name = "", .request = "{}"}};
	struct lookups all, l = {0};
	int r = 0;

	/* One that is not known is refused also where there is no pod. */
	for (size_t i = 0; r >= 0 && i < filters->n; i++)
		r = fits(s, &none, filters->v[i], a, e);
	if (r >= 0)
		r = lookup_all(s, a, &all, e);
	if (r < 0)
		return r;
	l.v = arena_array(a, all.n + 1, sizeof(*l.v));
	for (size_t i = 0; i < all.n; i++) {
		r = pod_is(&all.v[i].i);
		for (size_t k = 0; r > 0 && k < filters->n; k++)
			r = fits(s, &all.v[i], filters->v[k], a, e);
		if (r < 0)
			return r;
		if (r > 0)
			l.v[l.n++] = all.v[i];
	}
	*out = l;
	return 0;
}

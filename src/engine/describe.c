/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/describe.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/plan_build.h"
#include "engine/request.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"
#include "spec/plan.h"
#include "spec/policy.h"
#include "store/image.h"
#include "store/store.h"

#include <inttypes.h>
#include <string.h>

#define COMMAND_CUT 20

/* A writer of members: it knows when a comma is due. */
struct w {
	struct buf *b;
	bool comma;
};

static void key(struct w *w, const char *k)
{
	buf_puts(w->b, w->comma ? "," : "");
	json_quote(w->b, k);
	buf_puts(w->b, ":");
	w->comma = true;
}

static void str(struct w *w, const char *k, const char *v)
{
	key(w, k);
	json_quote(w->b, v ? v : "");
}

static void num(struct w *w, const char *k, int64_t v)
{
	key(w, k);
	buf_printf(w->b, "%" PRId64, v);
}

static void yes(struct w *w, const char *k, bool v)
{
	key(w, k);
	buf_puts(w->b, v ? "true" : "false");
}

static void raw(struct w *w, const char *k, const char *json)
{
	key(w, k);
	buf_puts(w->b, json);
}

static void open_object(struct w *w, const char *k)
{
	key(w, k);
	buf_puts(w->b, "{");
	w->comma = false;
}

static void close_object(struct w *w)
{
	buf_puts(w->b, "}");
	w->comma = true;
}

/* Docker writes null for a list that was never given. */
static void list(struct w *w, const char *k, const char *const *v, size_t n, const char *empty)
{
	key(w, k);
	if (!n) {
		buf_puts(w->b, empty);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		buf_puts(w->b, i ? "," : "[");
		json_quote(w->b, v[i]);
	}
	buf_puts(w->b, "]");
}

static void stamp(struct w *w, const char *k, int64_t ns)
{
	key(w, k);
	buf_puts(w->b, "\"");
	if (ns)
		timestamp_print(ns, w->b);
	else
		buf_puts(w->b, "0001-01-01T00:00:00Z");
	buf_puts(w->b, "\"");
}

static void labels(struct w *w, const char *k, const struct strs *l, struct arena *a)
{
	open_object(w, k);
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchrnul(l->v[i], '=');

		str(w, arena_dupn(a, l->v[i], (size_t)(eq - l->v[i])), *eq ? eq + 1 : "");
	}
	close_object(w);
}

static void state(struct w *w, const struct lookup *l)
{
	const struct instance_state *st = &l->state;

	open_object(w, "State");
	str(w, "Status", lookup_status(l));
	yes(w, "Running",
	    st->status == INSTANCE_RUNNING || st->status == INSTANCE_PAUSED ||
		st->status == INSTANCE_RESTARTING);
	yes(w, "Paused", st->status == INSTANCE_PAUSED);
	yes(w, "Restarting", st->status == INSTANCE_RESTARTING);
	yes(w, "OOMKilled", st->oom);
	yes(w, "Dead", false);
	num(w, "Pid", st->pid);
	num(w, "ExitCode", st->exit_code);
	str(w, "Error", st->error);
	stamp(w, "StartedAt", st->started_ns);
	stamp(w, "FinishedAt", st->finished_ns);
	close_object(w);
}

/* "0.0.0.0:8080:80/tcp" as publish_write() makes it, one port each, grouped by the inner one. */
static void ports(struct w *w, const char *k, const struct strs *l, struct arena *a)
{
	char *inner[256];
	size_t n = l->n < 256 ? l->n : 256;

	open_object(w, k);
	for (size_t i = 0; i < n; i++) {
		const char *last = strrchr(l->v[i], ':');

		inner[i] = arena_dup(a, last ? last + 1 : l->v[i]);
	}
	for (size_t i = 0; i < n; i++) {
		bool first = true;

		for (size_t j = 0; j < i; j++)
			first &= !streq(inner[j], inner[i]);
		if (!first)
			continue;
		key(w, inner[i]);
		buf_puts(w->b, "[");
		for (size_t j = i; j < n; j++) {
			char *host = arena_dup(a, l->v[j]), *last = strrchr(host, ':'), *mid;

			if (!last || !streq(inner[j], inner[i]))
				continue;
			*last = '\0';
			mid = strrchr(host, ':');
			buf_puts(w->b, j == i ? "{" : ",{");
			w->comma = false;
			if (mid)
				*mid = '\0';
			str(w, "HostIp", mid ? host : "0.0.0.0");
			str(w, "HostPort", mid ? mid + 1 : host);
			buf_puts(w->b, "}");
		}
		buf_puts(w->b, "]");
		w->comma = true;
	}
	close_object(w);
}

static bool has(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static void mounts(struct w *w, const struct instance_mounts *m)
{
	key(w, "Mounts");
	buf_puts(w->b, "[");
	for (size_t i = 0; i < m->n; i++) {
		const struct instance_mount *v = &m->v[i];

		buf_puts(w->b, i ? ",{" : "{");
		w->comma = false;
		str(w, "Type", v->type);
		if (v->name)
			str(w, "Name", v->name);
		str(w, "Source", v->source);
		str(w, "Destination", v->destination);
		if (v->name)
			str(w, "Driver", "local");
		str(w, "Mode", "");
		yes(w, "RW", !has(&v->options, "ro"));
		str(w, "Propagation", streq(v->type, "bind") ? "rprivate" : "");
		buf_puts(w->b, "}");
	}
	buf_puts(w->b, "]");
	w->comma = true;
}

static void host_config(struct w *w, const struct request *q)
{
	struct policy policy = {0};

	open_object(w, "HostConfig");
	list(w, "Binds", q->volumes.v, q->volumes.n, "null");
	str(w, "NetworkMode", q->network);
	yes(w, "AutoRemove", q->auto_remove);
	list(w, "CapAdd", q->cap_add.v, q->cap_add.n, "null");
	list(w, "CapDrop", q->cap_drop.v, q->cap_drop.n, "null");
	list(w, "Dns", q->dns.v, q->dns.n, "[]");
	list(w, "ExtraHosts", q->hosts.v, q->hosts.n, "null");
	list(w, "GroupAdd", q->group_add.v, q->group_add.n, "null");
	num(w, "Memory", (int64_t)q->memory_bytes);
	num(w, "NanoCpus", q->nano_cpus);
	num(w, "PidsLimit", q->pids.set ? q->pids.v : 0);
	num(w, "OomScoreAdj", q->oom_score.set ? q->oom_score.v : 0);
	yes(w, "Privileged", false);
	yes(w, "ReadonlyRootfs", q->read_only);
	list(w, "SecurityOpt", q->security_opt.v, q->security_opt.n, "null");
	num(w, "ShmSize", (int64_t)q->shm_bytes);
	str(w, "Isolation", plan_isolation_names[q->isolation]);
	policy_parse(q->restart, &policy, NULL);
	open_object(w, "RestartPolicy");
	str(w, "Name", policy_restart_names[policy.restart]);
	num(w, "MaximumRetryCount", policy.max);
	close_object(w);
	raw(w, "LogConfig", "{\"Type\":\"json-file\",\"Config\":{}}");
	close_object(w);
}

static void config(struct w *w, const struct lookup *l, const struct request *q,
		   const struct plan *p, const struct oci_process *image, struct arena *a)
{
	const struct strs *entry = q->entrypoint_set ? &q->entrypoint : &image->entrypoint;
	const struct strs *cmd = q->args.n || q->entrypoint_set ? &q->args : &image->cmd;

	open_object(w, "Config");
	str(w, "Hostname", p->hostname);
	str(w, "User", p->process->user.username);
	yes(w, "OpenStdin", q->open_stdin);
	yes(w, "Tty", q->tty);
	list(w, "Env", p->process->env.v, p->process->env.n, "[]");
	list(w, "Cmd", cmd->v, cmd->n, "null");
	list(w, "Entrypoint", entry->v, entry->n, "null");
	str(w, "Image", l->i.image);
	str(w, "WorkingDir", p->process->cwd);
	labels(w, "Labels", &l->i.labels, a);
	str(w, "StopSignal", p->caisson->stop_signal);
	num(w, "StopTimeout", p->caisson->stop_timeout_s);
	close_object(w);
}

static void networks(struct w *w, const struct lookup *l, const struct request *q, struct arena *a)
{
	open_object(w, "NetworkSettings");
	ports(w, "Ports", &l->i.ports, a);
	str(w, "IPAddress", l->state.address);
	open_object(w, "Networks");
	open_object(w, q->network ? q->network : "bridge");
	str(w, "IPAddress", l->state.address);
	close_object(w);
	close_object(w);
	close_object(w);
}

int describe_inspect(struct session *s, const struct lookup *l, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct image *image = NULL;
	struct plan_rootfs none = {0};
	struct plan_input in = {.root = s->root,
				.run_root = s->run_root,
				.instance = &l->i,
				.request = &q,
				.rootfs = &none,
				.dry = true};
	struct w w = {.b = out};
	struct store *store;
	struct plan p;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, &a,
				"request", e);
	if (r == 0)
		r = image_find_id(store, l->i.image_id, &image, e);
	if (r == 0) {
		in.image = &image->config.config;
		r = plan_build(&in, &a, &p, e);
	}
	if (r == 0) {
		buf_puts(out, "{");
		str(&w, "Id", l->i.id);
		stamp(&w, "Created", l->i.created_ns);
		str(&w, "Path", l->i.command.n ? l->i.command.v[0] : "");
		list(&w, "Args", l->i.command.v + 1, l->i.command.n ? l->i.command.n - 1 : 0, "[]");
		state(&w, l);
		str(&w, "Image", l->i.image_id);
		str(&w, "ResolvConfPath",
		    arena_printf(&a, "%s/instances/%s/resolv.conf", s->root, l->i.id));
		str(&w, "HostnamePath",
		    arena_printf(&a, "%s/instances/%s/hostname", s->root, l->i.id));
		str(&w, "HostsPath", arena_printf(&a, "%s/instances/%s/hosts", s->root, l->i.id));
		str(&w, "LogPath", arena_printf(&a, "%s/instances/%s/log", s->root, l->i.id));
		str(&w, "Name", arena_printf(&a, "/%s", l->i.name));
		num(&w, "RestartCount", l->state.restarts);
		str(&w, "Platform", "linux");
		str(&w, "Isolation", plan_isolation_names[l->i.isolation]);
		host_config(&w, &q);
		mounts(&w, &l->i.mounts);
		config(&w, l, &q, &p, in.image, &a);
		networks(&w, l, &q, &a);
		buf_puts(out, "}");
		r = buf_fail(out, "description of the instance", e);
	}
	image_close(image);
	return r;
}

/* "0.0.0.0:8080->80/tcp", as in docker's ps. */
static const char *port_text(const struct strs *l, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < l->n; i++) {
		const char *last = strrchr(l->v[i], ':');

		buf_printf(&b, "%s%.*s->%s", i ? ", " : "", (int)(last - l->v[i]), l->v[i],
			   last + 1);
	}
	return arena_dup(a, b.p);
}

static const char *command_text(const struct strs *c, bool full, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < c->n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", c->v[i]);
	/* As docker: 20 characters with the last one an ellipsis. */
	if (!full && b.len > COMMAND_CUT)
		return arena_printf(a, "\"%.*s\xe2\x80\xa6\"", COMMAND_CUT - 1, b.p);
	return arena_printf(a, "\"%s\"", b.p);
}

static void row_more(struct w *w, const struct lookup *l, struct arena *a)
{
	auto_buf struct buf names = BUF_INIT(1 << 20);
	struct request q = {0};
	size_t volumes = 0;

	for (size_t i = 0; i < l->i.mounts.n; i++) {
		const struct instance_mount *m = &l->i.mounts.v[i];
		const char *what = m->name ? m->name : m->source ? m->source : m->destination;

		buf_printf(&names, "%s%s", i ? "," : "", what);
		volumes += streq(m->type, "volume");
	}
	str(w, "Mounts", names.p);
	str(w, "LocalVolumes", arena_printf(a, "%zu", volumes));
	jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, a, "request", NULL);
	str(w, "Networks", q.network ? q.network : "bridge");
}

void describe_row(const struct lookup *l, int64_t now, bool full, struct buf *out)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct w w = {.b = out};

	for (size_t i = 0; i < l->i.labels.n; i++)
		buf_printf(&text, "%s%s", i ? "," : "", l->i.labels.v[i]);
	buf_puts(out, "{");
	str(&w, "ID", full ? l->i.id : arena_dupn(&a, l->i.id, INSTANCE_SHORT_ID));
	str(&w, "Image", l->i.image);
	str(&w, "Command", command_text(&l->i.command, full, &a));
	stamp(&w, "CreatedAt", l->i.created_ns);
	str(&w, "RunningFor",
	    arena_printf(&a, "%s ago", lookup_duration(now - l->i.created_ns, &a)));
	str(&w, "Status", lookup_status_text(l, now, &a));
	str(&w, "State", lookup_status(l));
	str(&w, "Ports", l->state.pid ? port_text(&l->i.ports, &a) : "");
	str(&w, "Names", l->i.name);
	str(&w, "Labels", text.p);
	row_more(&w, l, &a);
	str(&w, "Isolation", plan_isolation_names[l->i.isolation]);
	buf_puts(out, "}");
}

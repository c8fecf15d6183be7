/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/describe.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/emulated.h"
#include "engine/hostconfig.h"
#include "engine/join.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/netspec.h"
#include "engine/network_ctl.h"
#include "engine/plan_build.h"
#include "engine/request.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "fmt/publish.h"
#include "net/attach.h"
#include "net/attachment.h"
#include "spec/plan.h"
#include "store/image.h"
#include "store/rootdriver.h"
#include "store/store.h"
#include "sys/file.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define HEALTH_MAX  (256u << 10)
#define COMMAND_CUT 20
#define PORTS_SHOWN 1024 /* an image may expose all of them */

/* health: JSON, or NULL. */
static void state(struct members *w, const struct lookup *l, const char *health)
{
	const struct instance_state *st = &l->state;

	members_open(w, "State");
	members_str(w, "Status", lookup_status(l));
	members_yes(w, "Running",
		    st->status == INSTANCE_RUNNING || st->status == INSTANCE_PAUSED ||
			st->status == INSTANCE_RESTARTING);
	members_yes(w, "Paused", st->status == INSTANCE_PAUSED);
	members_yes(w, "Restarting", st->status == INSTANCE_RESTARTING);
	members_yes(w, "OOMKilled", st->oom);
	members_yes(w, "Dead", false);
	members_num(w, "Pid", st->pid);
	members_num(w, "ExitCode", st->exit_code);
	members_str(w, "Error", st->error);
	members_stamp(w, "StartedAt", st->started_ns);
	members_stamp(w, "FinishedAt", st->finished_ns);
	if (health)
		members_raw(w, "Health", health);
	members_close(w);
}

static bool has(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static const char *propagation(const struct strs *options)
{
	static const char *const words[] = {"shared",  "rshared",  "slave", "rslave",
					    "private", "rprivate", NULL};

	for (const char *const *k = words; *k; k++)
		if (has(options, *k))
			return *k;
	return "rprivate";
}

static void mounts(struct members *w, const struct instance_mounts *m)
{
	members_key(w, "Mounts");
	buf_puts(w->b, "[");
	for (size_t i = 0; i < m->n; i++) {
		const struct instance_mount *v = &m->v[i];

		buf_puts(w->b, i ? ",{" : "{");
		w->comma = false;
		members_str(w, "Type", v->type);
		if (v->name)
			members_str(w, "Name", v->name);
		members_str(w, "Source", v->source);
		members_str(w, "Destination", v->destination);
		if (v->name)
			members_str(w, "Driver", "local");
		members_str(w, "Mode", v->mode);
		members_yes(w, "RW", !has(&v->options, "ro"));
		members_str(w, "Propagation",
			    streq(v->type, "bind") ? propagation(&v->options) : "");
		buf_puts(w->b, "}");
	}
	buf_puts(w->b, "]");
	w->comma = true;
}

/* Docker's sets: objects of empty objects, null when there are none. */
static void keys(struct members *w, const char *k, const struct strs *l)
{
	if (!l->n) {
		members_raw(w, k, "null");
		return;
	}
	members_open(w, k);
	for (size_t i = 0; i < l->n; i++)
		members_raw(w, l->v[i], "{}");
	members_close(w);
}

static bool attached(const struct request *q, const char *stream)
{
	for (size_t i = 0; i < q->attach.n; i++)
		if (strcasecmp(q->attach.v[i], stream) == 0)
			return true;
	return false;
}

/* The image's, --expose's and --publish's. */
static void exposed(struct members *w, const struct request *q, const struct oci_process *image)
{
	const struct strs *from[] = {&image->exposed_ports, &q->expose, &q->publish};
	auto_arena struct arena a = ARENA_INIT;
	struct strs all = {0};

	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < from[i]->n; k++) {
			struct publish p;

			if (publish_parse(from[i]->v[k], &p, NULL) < 0)
				continue;
			for (unsigned int n = p.port_first; n <= p.port_last && all.n < PORTS_SHOWN;
			     n++) {
				const char *port =
				    arena_printf(&a, "%u/%s", n, publish_proto_names[p.proto]);

				if (!has(&all, port))
					arena_strs_add(&a, &all, port);
			}
		}
	keys(w, "ExposedPorts", &all);
}

static void config(struct members *w, const struct lookup *l, const struct request *q,
		   const struct plan *p, const struct oci_process *image, struct arena *a)
{
	const struct strs *entry = q->entrypoint_set ? &q->entrypoint : &image->entrypoint;
	const struct strs *cmd = q->args.n || q->entrypoint_set ? &q->args : &image->cmd;

	members_open(w, "Config");
	members_str(w, "Hostname", p->hostname);
	members_str(w, "Domainname", p->domainname);
	members_str(w, "User", p->process->user.username);
	members_yes(w, "AttachStdin", attached(q, "stdin"));
	members_yes(w, "AttachStdout", attached(q, "stdout"));
	members_yes(w, "AttachStderr", attached(q, "stderr"));
	exposed(w, q, image);
	members_yes(w, "OpenStdin", q->open_stdin);
	members_yes(w, "StdinOnce", false);
	members_yes(w, "Tty", q->tty);
	members_list(w, "Env", &p->process->env, "[]");
	members_list(w, "Cmd", cmd, "null");
	members_list(w, "Entrypoint", entry, "null");
	members_str(w, "Image", l->i.image);
	keys(w, "Volumes", &image->volumes);
	members_str(w, "WorkingDir", p->process->cwd);
	members_list(w, "OnBuild", &image->on_build, "null");
	members_map(w, "Labels", &l->i.labels, a);
	if (p->caisson->health) {
		auto_buf struct buf text = BUF_INIT(1 << 20);

		jbind_write(&health_table, p->caisson->health, &text);
		members_raw(w, "Healthcheck", text.p);
	}
	members_str(w, "StopSignal", p->caisson->stop_signal);
	members_num(w, "StopTimeout", p->caisson->stop_timeout_s);
	members_close(w);
}

/* One network of an instance; at: what it was given there, NULL when it does not run. */
static void endpoint(struct session *s, struct members *w, const struct attach_endpoint *p,
		     const struct attachment *at, struct arena *a)
{
	struct network n = {0};
	struct attachment none = {0};
	const char *len = NULL;

	(void)network_ctl_find(s, p->network, a, &n, NULL);
	if (n.subnet)
		len = strchr(n.subnet, '/');
	if (!at)
		at = &none;
	members_open(w, p->network);
	members_str(w, "NetworkID", n.id);
	members_str(w, "EndpointID", at->device);
	members_str(w, "Gateway", at->address && !n.internal ? n.gateway : "");
	members_str(w, "IPAddress", at->address);
	members_num(w, "IPPrefixLen", at->address && len ? strtol(len + 1, NULL, 10) : 0);
	members_str(w, "GlobalIPv6Address", at->address6 ? at->address6 : "");
	members_str(w, "IPv6Gateway", at->address6 && !n.internal ? n.gateway6 : "");
	members_num(w, "GlobalIPv6PrefixLen",
		    at->address6 && n.subnet6 ? strtol(strchr(n.subnet6, '/') + 1, NULL, 10) : 0);
	members_str(w, "MacAddress", at->mac);
	members_list(w, "Aliases", &p->aliases, "null");
	members_list(w, "DNSNames", &at->names, "null");
	members_close(w);
}

/* Docker's older members, of the first network. */
static void first_endpoint(struct session *s, struct members *w, const struct attachment *at,
			   struct arena *a)
{
	struct network n = {0};
	const char *len = NULL;

	if (at)
		(void)network_ctl_find(s, at->network, a, &n, NULL);
	if (n.subnet)
		len = strchr(n.subnet, '/');
	members_str(w, "EndpointID", at ? at->device : "");
	members_str(w, "Gateway", at && at->address && !n.internal ? n.gateway : "");
	members_num(w, "IPPrefixLen", at && at->address && len ? strtol(len + 1, NULL, 10) : 0);
	members_str(w, "MacAddress", at ? at->mac : "");
	members_str(w, "GlobalIPv6Address", at && at->address6 ? at->address6 : "");
	members_num(w, "GlobalIPv6PrefixLen",
		    at && at->address6 && n.subnet6 ? strtol(strchr(n.subnet6, '/') + 1, NULL, 10)
						    : 0);
	members_str(w, "IPv6Gateway", at && at->address6 && !n.internal ? n.gateway6 : "");
	members_yes(w, "HairpinMode", false);
}

static void networks(struct session *s, struct members *w, const struct lookup *l,
		     const struct request *q, struct arena *a)
{
	auto_fd int net = l->state.pid ? attachment_dir(store_run_fd(s->store), NULL) : -1;
	struct attachment_list have = {0};
	const char *first = l->state.address;
	struct attach_endpoint *v;
	size_t n = 0;

	if (net >= 0)
		(void)attachment_of(net, l->i.id, a, &have, NULL);
	if (join_other(q->network) || netspec_all(q, a, &v, &n, NULL) < 0)
		n = 0;
	if (have.n)
		first = have.v[0].address;
	members_open(w, "NetworkSettings");
	members_str(w, "Bridge", "");
	members_str(w, "SandboxID", l->state.pid ? l->i.id : "");
	members_str(
	    w, "SandboxKey",
	    l->state.pid ? arena_printf(a, "/proc/%" PRId64 "/ns/net", (int64_t)l->state.pid) : "");
	hostconfig_ports(w, "Ports", &l->i.ports, a);
	members_str(w, "IPAddress", first);
	first_endpoint(s, w, have.n ? &have.v[0] : NULL, a);
	members_open(w, "Networks");
	for (size_t i = 0; i < n; i++) {
		const struct attachment *at = NULL;

		for (size_t k = 0; k < have.n; k++)
			if (streq(have.v[k].network, v[i].network))
				at = &have.v[k];
		endpoint(s, w, &v[i], at, a);
	}
	members_close(w);
	members_close(w);
}

/* As the monitor wrote it, read strictly before it is passed on. */
static const char *read_health(struct store *store, const struct instance *i, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(HEALTH_MAX);
	auto_free char *text = NULL;
	auto_json struct json *j = NULL;
	ssize_t n =
	    file_read(store_root_fd(store), arena_printf(a, "instances/%s/health.json", i->id),
		      HEALTH_MAX, &text);

	if (n <= 0 || json_parse(text, (size_t)n, "health", &j, NULL) < 0)
		return NULL;
	json_dump(j, &b);
	return arena_dupn(a, b.p, b.len);
}

/* What was asked for, what it comes to on this host, and what the probe saw. */
static void accelerator(const struct session *s, struct members *w, const struct request *q,
			struct arena *a)
{
	struct emulated known = emulated_known(s, a);

	members_open(w, "Accelerator");
	members_str(w, "Asked", q->accel ? q->accel : "auto");
	members_str(w, "Used", q->accel ? q->accel : known.accel);
	members_str(w, "Because", known.why);
	members_close(w);
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
	struct members w = {.b = out};
	struct strs args = {l->i.command.v + 1, l->i.command.n ? l->i.command.n - 1 : 0};
	const char *driver;
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
		members_str(&w, "Id", l->i.id);
		members_stamp(&w, "Created", l->i.created_ns);
		members_str(&w, "Path", l->i.command.n ? l->i.command.v[0] : "");
		members_list(&w, "Args", &args, "[]");
		state(&w, l, read_health(store, &l->i, &a));
		members_str(&w, "Image", l->i.image_id);
		members_str(&w, "ResolvConfPath",
			    arena_printf(&a, "%s/instances/%s/resolv.conf", s->root, l->i.id));
		members_str(&w, "HostnamePath",
			    arena_printf(&a, "%s/instances/%s/hostname", s->root, l->i.id));
		members_str(&w, "HostsPath",
			    arena_printf(&a, "%s/instances/%s/hosts", s->root, l->i.id));
		members_str(&w, "LogPath",
			    arena_printf(&a, "%s/instances/%s/log", s->root, l->i.id));
		members_str(&w, "Name", arena_printf(&a, "/%s", l->i.name));
		members_num(&w, "RestartCount", l->state.restarts);
		driver = rootdriver_is_fuse(store, l->i.id) ? ROOTDRIVER_FUSE : "overlayfs";
		members_str(&w, "Driver", driver);
		members_str(&w, "Platform", "linux");
		members_str(&w, "MountLabel", "");
		members_str(&w, "ProcessLabel", "");
		members_str(&w, "AppArmorProfile", p.process->apparmor_profile);
		members_raw(&w, "ExecIDs", "null");
		members_raw(&w, "GraphDriver",
			    arena_printf(&a, "{\"Name\":\"%s\",\"Data\":{}}", driver));
		members_str(&w, "Isolation", plan_isolation_names[l->i.isolation]);
		if (q.machine)
			members_str(&w, "Machine", q.machine);
		if (q.isolation == PLAN_VM && !q.machine)
			accelerator(s, &w, &q, &a);
		hostconfig_write(&w, &q, &p, &a);
		mounts(&w, &l->i.mounts);
		config(&w, l, &q, &p, in.image, &a);
		networks(s, &w, l, &q, &a);
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

static void row_more(struct members *w, const struct lookup *l, struct arena *a)
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
	members_str(w, "Mounts", names.p);
	members_str(w, "LocalVolumes", arena_printf(a, "%zu", volumes));
	jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, a, "request", NULL);
	members_str(w, "Networks", netspec_names(&q, a));
}

void describe_row(const struct lookup *l, int64_t now, unsigned int flags, struct buf *out)
{
	bool full = flags & DESCRIBE_FULL;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct members w = {.b = out};

	for (size_t i = 0; i < l->i.labels.n; i++)
		buf_printf(&text, "%s%s", i ? "," : "", l->i.labels.v[i]);
	buf_puts(out, "{");
	members_str(&w, "ID", full ? l->i.id : arena_dupn(&a, l->i.id, INSTANCE_SHORT_ID));
	members_str(&w, "Image", l->i.image);
	members_str(&w, "Command", command_text(&l->i.command, full, &a));
	members_stamp(&w, "CreatedAt", l->i.created_ns);
	members_str(&w, "RunningFor",
		    arena_printf(&a, "%s ago", lookup_duration(now - l->i.created_ns, &a)));
	members_str(&w, "Status", lookup_status_text(l, now, &a));
	members_str(&w, "State", lookup_status(l));
	members_str(&w, "Ports", l->state.pid ? port_text(&l->i.ports, &a) : "");
	members_str(&w, "Names", l->i.name);
	members_str(&w, "Labels", text.p);
	if (flags & DESCRIBE_MORE)
		row_more(&w, l, &a);
	members_str(&w, "Isolation", plan_isolation_names[l->i.isolation]);
	buf_puts(out, "}");
}

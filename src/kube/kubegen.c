/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubegen.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/pod.h"
#include "engine/request.h"
#include "engine/runwords.h"
#include "engine/session.h"
#include "fmt/publish.h"
#include "fmt/yaml.h"
#include "kube/kubemap.h"
#include "kube/kubevolume.h"
#include "spec/plan.h"
#include "store/store.h"
#include "store/volume.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define YAML_MAX  (4u << 20)
#define SHM_BYTES (64u << 20) /* what everybody has */
#define SECOND	  1000000000LL

struct generating {
	struct session *s;
	struct arena *a;
	struct kubegen_out *out;
	struct kubespec_pod *pod;
	struct strs claims; /* names of volumes that a claim stands for */
	struct err *e;
};

static void *add_to(struct generating *g, void *list, size_t size)
{
	struct {
		char *v;
		size_t n;
	} *l = list;

	l->v = arena_room(g->a, l->v, l->n, size);
	return memset(l->v + size * l->n++, 0, size);
}

/* A DNS label of what may be any name. */
static const char *label(struct generating *g, const char *name)
{
	char *out = arena_dup(g->a, name);
	size_t n = 0;

	for (const char *p = name; *p && n < 60; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (fine || n)
			out[n++] = fine ? c : '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	return n ? out : "x";
}

/* $(NAME) and $$ mean something to who reads the file. */
static const char *escaped(struct generating *g, const char *text)
{
	auto_buf struct buf b = BUF_INIT(YAML_MAX);

	for (const char *p = text; *p; p++) {
		buf_puts(&b, *p == '$' && (p[1] == '(' || p[1] == '$') ? "$" : "");
		buf_add(&b, p, 1);
	}
	return arena_dupn(g->a, b.p, b.len);
}

static struct strs all_escaped(struct generating *g, const struct strs *l)
{
	struct strs out = {0};

	for (size_t i = 0; i < l->n; i++)
		arena_strs_add(g->a, &out, escaped(g, l->v[i]));
	return out;
}

static void pairs(struct generating *g, const struct strs *from, struct jbind_map *out)
{
	out->v = arena_array(g->a, from->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < from->n; i++) {
		size_t n = strcspn(from->v[i], "=");

		/* Our own marks belong to the object that was played. */
		if (str_after(from->v[i], "io.caisson.kube."))
			continue;
		out->v[out->n++] = (struct jbind_pair){arena_dupn(g->a, from->v[i], n),
						       from->v[i][n] ? from->v[i] + n + 1 : ""};
	}
}

/* ---- volumes ---- */

static struct kubespec_volume *volume(struct generating *g, const char *name)
{
	for (size_t i = 0; i < g->pod->volumes.n; i++)
		if (streq(g->pod->volumes.v[i].name, name))
			return &g->pod->volumes.v[i];
	return NULL;
}

static struct kubespec_volume *new_volume(struct generating *g, const char *name)
{
	struct kubespec_volume *v = add_to(g, &g->pod->volumes, sizeof(*v));

	v->name = name;
	return v;
}

static const char *host_type(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return NULL;
	return S_ISDIR(st.st_mode) ? "Directory" : S_ISREG(st.st_mode) ? "File" : NULL;
}

static bool read_only(const struct instance_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (streq(m->options.v[i], "ro"))
			return true;
	return false;
}

/* Made by `kube play`: what its file had there.  False: it is a volume of somebody's own. */
static bool played(struct generating *g, struct kubespec_volume *v, const char *name)
{
	const char *kind = NULL, *of;
	struct store *store;
	struct volume vol;

	if (session_store(g->s, &store, NULL) < 0 ||
	    volume_load(store_root_fd(store), name, g->a, &vol, NULL) < 0)
		return false;
	for (size_t i = 0; i < vol.labels.n; i++)
		kind = str_after(vol.labels.v[i], KUBEVOLUME_KIND "=") ?: kind;
	if (!kind)
		return false;
	if ((of = str_after(kind, "ConfigMap/"))) {
		v->config_map = arena_alloc(g->a, sizeof(*v->config_map));
		v->config_map->name = of;
	} else if ((of = str_after(kind, "Secret/"))) {
		v->secret = arena_alloc(g->a, sizeof(*v->secret));
		v->secret->secret_name = of;
	} else {
		v->empty_dir = arena_alloc(g->a, sizeof(*v->empty_dir));
		v->empty_dir->medium = "";
	}
	if (of)
		arena_strs_add(g->a, &g->out->warnings,
			       arena_printf(g->a, "%.80s is not in the file", kind));
	return true;
}

static void claim(struct generating *g, struct kubespec_volume *v, const char *name)
{
	v->claim = arena_alloc(g->a, sizeof(*v->claim));
	v->claim->name = name;
	for (size_t i = 0; i < g->claims.n; i++)
		if (streq(g->claims.v[i], name))
			return;
	arena_strs_add(g->a, &g->claims, name);
}

static void mount(struct generating *g, const struct instance *i, const struct instance_mount *m,
		  size_t n, struct kubespec_container *c)
{
	struct kubespec_mount *at = add_to(g, &c->mounts, sizeof(*at));
	bool named = streq(m->type, "volume") && !m->anonymous;
	const char *name = named ? arena_printf(g->a, "%s-pvc", label(g, m->name))
				 : arena_printf(g->a, "%s-%zu", label(g, i->name), n);
	struct kubespec_volume *v = volume(g, name);

	at->name = name;
	at->path = m->destination;
	at->read_only = read_only(m);
	at->sub_path = m->subpath;
	if (v)
		return;
	v = new_volume(g, name);
	if (named && played(g, v, m->name)) {
		return;
	} else if (named) {
		claim(g, v, m->name);
	} else if (streq(m->type, "bind")) {
		v->host_path = arena_alloc(g->a, sizeof(*v->host_path));
		v->host_path->path = m->source;
		v->host_path->type = host_type(m->source);
	} else {
		v->empty_dir = arena_alloc(g->a, sizeof(*v->empty_dir));
		v->empty_dir->medium = streq(m->type, "tmpfs") ? "Memory" : "";
	}
}

/* ---- a container ---- */

static void ports(struct generating *g, const struct request *q, struct kubespec_container *c)
{
	for (size_t i = 0; i < q->publish.n; i++) {
		char text[INET6_ADDRSTRLEN] = "";
		struct publish p;

		if (publish_parse(q->publish.v[i], &p, NULL) < 0)
			continue;
		if (p.family)
			inet_ntop(p.family, p.host_ip, text, sizeof(text));
		for (unsigned int k = 0; k <= (unsigned int)(p.port_last - p.port_first); k++) {
			struct kubespec_port *port = add_to(g, &c->ports, sizeof(*port));

			port->container_port = p.port_first + (int)k;
			port->host_port = p.host_first ? p.host_first + (int)k : 0;
			port->host_ip = *text ? arena_dup(g->a, text) : NULL;
			port->protocol = p.proto == PUBLISH_UDP	   ? "UDP"
					 : p.proto == PUBLISH_SCTP ? "SCTP"
								   : NULL;
		}
	}
}

static void resources(struct generating *g, const struct request *q, struct kubespec_container *c)
{
	auto_buf struct buf b = BUF_INIT(256);

	buf_puts(&b, "{");
	if (q->nano_cpus)
		buf_printf(&b, "\"cpu\":\"%lldm\"", (long long)((q->nano_cpus + 999999) / 1000000));
	if (q->memory_bytes)
		buf_printf(&b, "%s\"memory\":\"%llu\"", b.len > 1 ? "," : "",
			   (unsigned long long)q->memory_bytes);
	buf_puts(&b, "}");
	if (b.len > 2)
		c->resources.limits_json = arena_dupn(g->a, b.p, b.len);
	if (q->memory_reservation)
		c->resources.requests_json = arena_printf(
		    g->a, "{\"memory\":\"%llu\"}", (unsigned long long)q->memory_reservation);
}

static bool number(const char *s, struct jbind_optint *out)
{
	char *end;
	long long v = strtoll(s, &end, 10);

	if (!*s || *end || v < 0)
		return false;
	*out = (struct jbind_optint){true, v};
	return true;
}

/* What of the wall the file can say; left is what it cannot. */
static void security(struct generating *g, struct request *left, struct kubespec_container *c)
{
	struct kubespec_security *s = arena_alloc(g->a, sizeof(*s));
	struct strs options = {0};
	const char *gid = left->user ? strchr(left->user, ':') : NULL;

	if (left->user && number(arena_dupn(g->a, left->user, strcspn(left->user, ":")), &s->uid) &&
	    (!gid || number(gid + 1, &s->gid)))
		left->user = NULL;
	else
		s->uid = s->gid = (struct jbind_optint){0};
	s->privileged = left->privileged;
	s->read_only_root = left->read_only;
	if (left->cap_add.n || left->cap_drop.n) {
		s->caps = arena_alloc(g->a, sizeof(*s->caps));
		*s->caps = (struct kubespec_caps){left->cap_add, left->cap_drop};
	}
	for (size_t i = 0; i < left->security_opt.n; i++) {
		const char *o = left->security_opt.v[i];

		if (streq(o, "no-new-privileges")) {
			s->escalation_json = "false";
		} else if (streq(o, "systempaths=unconfined")) {
			s->proc_mount = "Unmasked";
		} else if (streq(o, "seccomp=unconfined")) {
			s->seccomp = arena_alloc(g->a, sizeof(*s->seccomp));
			s->seccomp->type = "Unconfined";
		} else {
			arena_strs_add(g->a, &options, o);
		}
	}
	left->security_opt = options;
	left->cap_add = left->cap_drop = (struct strs){0};
	left->privileged = left->read_only = false;
	if (s->uid.set || s->privileged || s->read_only_root || s->caps || s->escalation_json ||
	    s->proc_mount || s->seccomp)
		c->security = s;
}

static void probe(struct generating *g, const struct request *q, struct kubespec_container *c)
{
	struct kubespec_probe *p;

	const struct strs *t = &q->health_test;
	const char *shell = q->health_cmd && *q->health_cmd ? q->health_cmd : NULL;

	if (t->n == 2 && streq(t->v[0], "CMD-SHELL"))
		shell = t->v[1];
	if (!shell && !(t->n > 1 && streq(t->v[0], "CMD")))
		return;
	p = arena_alloc(g->a, sizeof(*p));
	p->exec = arena_alloc(g->a, sizeof(*p->exec));
	if (shell) {
		arena_strs_add(g->a, &p->exec->command, "sh");
		arena_strs_add(g->a, &p->exec->command, "-c");
		arena_strs_add(g->a, &p->exec->command, shell);
	}
	for (size_t i = 1; !shell && i < t->n; i++)
		arena_strs_add(g->a, &p->exec->command, t->v[i]);
	p->period_s = q->health_interval_ns ? (q->health_interval_ns + SECOND - 1) / SECOND : 30;
	p->timeout_s = q->health_timeout_ns ? (q->health_timeout_ns + SECOND - 1) / SECOND : 30;
	p->failures = q->health_retries ? q->health_retries : 3;
	p->initial_delay_s = (q->health_start_period_ns + SECOND - 1) / SECOND;
	if (q->health_on_failure && streq(q->health_on_failure, "kill"))
		c->liveness = p;
	else
		c->readiness = p;
}

static void environment(struct generating *g, const struct request *q, struct kubespec_container *c)
{
	for (size_t i = 0; i < q->env.n; i++) {
		size_t n = strcspn(q->env.v[i], "=");
		struct kubespec_env *v = add_to(g, &c->env, sizeof(*v));

		v->name = arena_dupn(g->a, q->env.v[i], n);
		v->value = escaped(g, q->env.v[i][n] ? q->env.v[i] + n + 1 : "");
	}
}

/* What the file has no place for, as options of `run`. */
static void warn_of(struct generating *g, const struct instance *i, struct request left)
{
	struct strs words = {0};

	left.image = "x";
	left.args = left.env = left.mounts = left.volumes = left.volumes_from = left.tmpfs =
	    left.publish = left.labels = left.annotations = left.entrypoint = (struct strs){0};
	left.entrypoint_set = left.tty = left.open_stdin = false;
	left.workdir = left.hostname = left.health_cmd = NULL;
	left.health_on_failure = NULL;
	left.health_test = (struct strs){0};
	left.memory_bytes = left.memory_reservation = 0;
	left.nano_cpus = left.health_interval_ns = left.health_timeout_ns = left.health_retries =
	    left.health_start_period_ns = 0;
	left.dns = left.dns_search = left.dns_options = left.hosts = left.sysctls =
	    (struct strs){0};
	left.network = left.pod					       ? NULL
		       : left.network && streq(left.network, "bridge") ? NULL
								       : left.network;
	left.pod = NULL;
	left.pod_own_mounts = false;
	left.machine = NULL;
	left.isolation = PLAN_CONTAINER;
	left.stop_timeout_s.set = false;
	if (left.pids.set && left.pids.v == 2048)
		left.pids.set = false;
	if (left.shm_bytes == SHM_BYTES)
		left.shm_bytes = 0;
	if (left.no_healthcheck)
		left.no_healthcheck = false; /* a pod never asks what an image wants */
	if (runwords_make(&left, g->a, &words, NULL) < 0)
		return;
	for (size_t k = 0; k + 1 < words.n; k++)
		arena_strs_add(g->a, &g->out->warnings,
			       arena_printf(g->a,
					    "instance '%.128s': %.200s has no place in the file",
					    i->name, words.v[k]));
}

static void container(struct generating *g, const struct instance *i, const struct request *q)
{
	struct kubespec_container *c = add_to(g, &g->pod->containers, sizeof(*c));
	struct request left = *q;
	const char *own = NULL;

	for (size_t k = 0; k < i->labels.n; k++)
		own = str_after(i->labels.v[k], KUBEMAP_CONTAINER "=") ?: own;
	c->name = own ? own : label(g, i->name);
	c->image = q->image;
	c->workdir = q->workdir;
	c->tty = q->tty;
	c->in = q->open_stdin;
	c->command = all_escaped(g, &q->entrypoint);
	c->args = all_escaped(g, &q->args);
	environment(g, q, c);
	ports(g, q, c);
	for (size_t k = 0; k < i->mounts.n; k++)
		mount(g, i, &i->mounts.v[k], k, c);
	resources(g, q, c);
	security(g, &left, c);
	probe(g, q, c);
	for (size_t k = 0; k < q->group_add.n; k++) {
		struct jbind_optint gid;

		if (!number(q->group_add.v[k], &gid))
			continue;
		if (!g->pod->security)
			g->pod->security = arena_alloc(g->a, sizeof(*g->pod->security));
		*(int64_t *)add_to(g, &g->pod->security->groups, sizeof(int64_t)) = gid.v;
		left.group_add = (struct strs){0};
	}
	if (q->pid_mode && streq(q->pid_mode, "host")) {
		g->pod->host_pid = true;
		left.pid_mode = NULL;
	}
	if (q->ipc_mode && streq(q->ipc_mode, "host")) {
		g->pod->host_ipc = true;
		left.ipc_mode = NULL;
	}
	/* Of a member: how it joins its pod. */
	if (q->pod)
		left.pid_mode = left.ipc_mode = left.uts_mode = NULL;
	warn_of(g, i, left);
}

/* ---- the pod ---- */

static void of_pod(struct generating *g, const struct request *q, struct kubespec_object *o)
{
	struct kubespec_pod *p = g->pod;

	p->host_network = q->network && streq(q->network, "host");
	p->hostname = q->hostname && !streq(q->hostname, o->meta.name) ? q->hostname : NULL;
	if (q->dns.n || q->dns_search.n || q->dns_options.n) {
		p->dns = arena_alloc(g->a, sizeof(*p->dns));
		p->dns->servers = q->dns;
		p->dns->searches = q->dns_search;
		p->dns_policy = q->dns.n ? "None" : NULL;
		for (size_t i = 0; i < q->dns_options.n; i++) {
			struct kubespec_dns_option *d = add_to(g, &p->dns->options, sizeof(*d));
			size_t n = strcspn(q->dns_options.v[i], ":");

			d->name = arena_dupn(g->a, q->dns_options.v[i], n);
			d->value = q->dns_options.v[i][n] ? q->dns_options.v[i] + n + 1 : NULL;
		}
	}
	for (size_t i = 0; i < q->hosts.n; i++) {
		struct kubespec_alias *h = add_to(g, &p->aliases, sizeof(*h));
		size_t n = strcspn(q->hosts.v[i], ":=");

		h->ip = q->hosts.v[i] + n + (q->hosts.v[i][n] != '\0');
		arena_strs_add(g->a, &h->names, arena_dupn(g->a, q->hosts.v[i], n));
	}
	for (size_t i = 0; i < q->sysctls.n; i++) {
		struct kubespec_sysctl *v;
		size_t n = strcspn(q->sysctls.v[i], "=");

		if (!p->security)
			p->security = arena_alloc(g->a, sizeof(*p->security));
		v = add_to(g, &p->security->sysctls, sizeof(*v));
		v->name = arena_dupn(g->a, q->sysctls.v[i], n);
		v->value = q->sysctls.v[i][n] ? q->sysctls.v[i] + n + 1 : "";
	}
}

static void restart(struct generating *g, const struct request *q)
{
	const char *r = q->restart ? q->restart : "no";

	g->pod->restart = str_after(r, "on-failure")			     ? "OnFailure"
			  : streq(r, "always") || streq(r, "unless-stopped") ? "Always"
									     : "Never";
	g->pod->grace_s = q->stop_timeout_s;
}

static void annotate(struct generating *g, const struct instance *i, const struct request *q,
		     struct kubespec_object *o)
{
	struct strs l = {0};

	for (size_t k = 0; k < q->annotations.n; k++)
		if (!str_after(q->annotations.v[k], KUBEMAP_ISOLATION "="))
			arena_strs_add(g->a, &l, q->annotations.v[k]);
	if (i->isolation == PLAN_VM)
		arena_strs_add(g->a, &l, KUBEMAP_ISOLATION "=vm");
	pairs(g, &l, &o->meta.annotations);
}

static int request_of(struct generating *g, const struct instance *i, struct request *out)
{
	*out = (struct request){0};
	return jbind_parse(&request_table, i->request, strlen(i->request), out, g->a, "request",
			   g->e);
}

static int print(struct generating *g, const struct jbind *t, const void *o)
{
	auto_buf struct buf json = BUF_INIT(YAML_MAX);
	int r;

	jbind_write(t, o, &json);
	r = buf_fail(&json, "document", g->e);
	if (r < 0)
		return r;
	buf_puts(g->out->yaml, g->out->yaml->len ? "---\n" : "");
	return yaml_from_json(json.p, json.len, g->out->yaml, g->e);
}

/* The claims that its volumes need stand before a pod. */
static int finish(struct generating *g, struct kubespec_object *o)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->claims.n; i++) {
		const struct kubespec_object c = {
		    .api = "v1",
		    .kind = "PersistentVolumeClaim",
		    .meta = {.name = g->claims.v[i]},
		    .spec_json =
			"{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
			"\"storage\":\"1Gi\"}}}"};

		r = print(g, &kubespec_claim_table, &c);
	}
	g->claims = (struct strs){0};
	return r < 0 ? r : print(g, &kubespec_pod_table, o);
}

static int pod(struct generating *g, const struct instance *i)
{
	struct kubespec_object *o = arena_alloc(g->a, sizeof(*o));
	struct lookups members;
	struct request q;
	int r = request_of(g, i, &q);

	if (r == 0)
		r = pod_members(g->s, i->id, g->a, &members, g->e);
	if (r < 0)
		return r;
	*o = (struct kubespec_object){
	    .api = "v1", .kind = "Pod", .meta = {.name = label(g, i->name)}};
	g->pod = &o->pod;
	pairs(g, &i->labels, &o->meta.labels);
	annotate(g, i, &q, o);
	of_pod(g, &q, o);
	restart(g, &q);
	for (size_t k = 0; r == 0 && k < q.pod_share.n; k++)
		o->pod.share_processes |= streq(q.pod_share.v[k], "pid");
	for (size_t k = 0; r == 0 && k < members.n; k++) {
		struct request m;

		r = request_of(g, &members.v[k].i, &m);
		if (r == 0)
			container(g, &members.v[k].i, &m);
		if (r == 0 && k == 0)
			restart(g, &m);
	}
	if (r == 0 && !members.n)
		return err_set(g->e, ERR_USAGE, "pod '%.128s' has no containers", i->name);
	/* Which of them listens is not known. */
	if (r == 0)
		ports(g, &q, &o->pod.containers.v[0]);
	return r < 0 ? r : finish(g, o);
}

static int together(struct generating *g, const struct lookups *l)
{
	struct kubespec_object *o = arena_alloc(g->a, sizeof(*o));
	int r = 0;

	*o = (struct kubespec_object){
	    .api = "v1",
	    .kind = "Pod",
	    .meta = {.name = arena_printf(g->a, "%s-pod", label(g, l->v[0].i.name))}};
	g->pod = &o->pod;
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		struct request q;

		if (l->v[i].i.isolation != l->v[0].i.isolation)
			return err_set(g->e, ERR_USAGE,
				       "'%.128s' and '%.128s' are behind different walls: a pod is "
				       "behind one",
				       l->v[0].i.name, l->v[i].i.name);
		r = request_of(g, &l->v[i].i, &q);
		if (r < 0)
			break;
		if (i == 0) {
			pairs(g, &l->v[i].i.labels, &o->meta.labels);
			annotate(g, &l->v[i].i, &q, o);
			of_pod(g, &q, o);
			restart(g, &q);
		}
		container(g, &l->v[i].i, &q);
	}
	return r < 0 ? r : finish(g, o);
}

int kubegen_write(struct session *s, const struct strs *names, struct arena *a,
		  struct kubegen_out *out, struct err *e)
{
	struct generating g = {.s = s, .a = a, .out = out, .e = e};
	struct lookups others = {.v = arena_array(a, names->n + 1, sizeof(struct lookup))};
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->n; i++) {
		struct lookup l;

		r = lookup_find(s, names->v[i], a, &l, e);
		if (r == 0 && pod_is(&l.i))
			r = pod(&g, &l.i);
		else if (r == 0 && l.i.pod)
			r = err_set(e, ERR_USAGE, "'%.128s' is in a pod: name that", names->v[i]);
		else if (r == 0)
			others.v[others.n++] = l;
	}
	return r == 0 && others.n ? together(&g, &others) : r;
}

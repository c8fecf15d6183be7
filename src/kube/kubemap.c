/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubemap.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "fmt/json.h"
#include "fmt/quantity.h"
#include "kube/kubeenv.h"
#include "kube/kubeprobe.h"
#include "spec/plan.h"
#include "sys/userns.h"

#include <errno.h>
#include <stdio.h>

#define GRACE_S	   30 /* Kubernetes' */
#define MIB	   (1u << 20)
#define MACHINE_MB 64 /* of a VM pod's memory, for its kernel */

int kubemap_isolation(const struct kubespec_meta *meta, const struct kubespec_pod *spec, int preset,
		      int *out, struct err *e)
{
	const char *said = jbind_lookup(&meta->annotations, KUBEMAP_ISOLATION);

	*out = preset;
	if (spec->runtime_class)
		*out = streq(spec->runtime_class, "caisson-vm") ? PLAN_VM : PLAN_CONTAINER;
	if (!said)
		return 0;
	if (!streq(said, "vm") && !streq(said, "container"))
		return err_set(e, ERR_USAGE,
			       "annotation " KUBEMAP_ISOLATION " is container or vm, not '%.40s'",
			       said);
	*out = streq(said, "vm") ? PLAN_VM : PLAN_CONTAINER;
	return 0;
}

static void pairs(const struct kubemap *m, const struct jbind_map *from, struct strs *out)
{
	for (size_t i = 0; i < from->n; i++)
		arena_strs_add(m->a, out,
			       arena_printf(m->a, "%s=%s", from->v[i].key, from->v[i].value));
}

/* ---- resources ---- */

struct amounts {
	const struct kubemap *m;
	const char *field; /* "limits" */
	int64_t memory, cpu_milli;
	struct err *e;
};

static int amount(const char *key, struct json *value, void *arg)
{
	auto_buf struct buf number = BUF_INIT(64);
	struct amounts *x = arg;
	const char *text = json_string(value);
	int64_t milli = 0;

	if (!text) {
		json_dump(value, &number);
		text = number.p;
	}
	if (!quantity_parse(text, &milli))
		return err_set(x->e, ERR_USAGE,
			       "pod %s: resources.%s.%.40s is a quantity such as 100m or 64Mi, not "
			       "'%.40s'",
			       x->m->name, x->field, key, text);
	if (streq(key, "memory"))
		x->memory = (milli + 999) / 1000;
	else if (streq(key, "cpu"))
		x->cpu_milli = milli;
	else if (streq(key, "ephemeral-storage"))
		kubedoc_warn(x->m->doc, x->m->a,
			     "pod %s: resources.%s.ephemeral-storage is left out", x->m->name,
			     x->field);
	else if (milli)
		return err_set(x->e, ERR_UNSUPPORTED,
			       "pod %s: resources.%s.%.60s is not possible: cpu and memory are",
			       x->m->name, x->field, key);
	return 0;
}

static int amounts(const struct kubemap *m, const char *field, const char *text,
		   struct amounts *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct amounts x = {.m = m, .field = field, .e = e};
	int r = text ? json_parse(text, strlen(text), field, &j, e) : 0;

	if (r == 0 && j)
		r = json_each(j, amount, &x);
	*out = x;
	return r;
}

static int limits(const struct kubemap *m, const struct kubespec_container *c, struct request *q,
		  struct err *e)
{
	struct amounts most, least;
	int r = amounts(m, "limits", c->resources.limits_json, &most, e);

	if (r == 0)
		r = amounts(m, "requests", c->resources.requests_json, &least, e);
	if (r < 0)
		return r;
	if (most.memory && least.memory > most.memory)
		return err_set(e, ERR_USAGE,
			       "pod %s: container '%s' requests more memory than its limit",
			       m->name, c->name);
	q->memory_bytes = (uint64_t)most.memory;
	q->nano_cpus = most.cpu_milli * 1000000;
	/* A request helps the scheduler of a cluster; here it is a share among neighbours, and not
	 * worth a refusal where nothing can be shared out. */
	if (m->isolation == PLAN_VM || userns_inside())
		return 0;
	q->memory_reservation = (uint64_t)least.memory;
	if (least.cpu_milli)
		q->cpu_shares =
		    least.cpu_milli * 1024 / 1000 < 2 ? 2 : least.cpu_milli * 1024 / 1000;
	return 0;
}

/* A VM pod is one machine: its size is what its containers may have together. */
static int machine(const struct kubemap *m, struct request *pod, struct err *e)
{
	int64_t memory = 0, cpus = 0;
	bool all_memory = true, all_cpus = true;

	for (size_t i = 0; i < m->spec->containers.n; i++) {
		struct amounts x;
		int r = amounts(m, "limits", m->spec->containers.v[i].resources.limits_json, &x, e);

		if (r < 0)
			return r;
		memory += x.memory;
		cpus += x.cpu_milli;
		all_memory &= x.memory > 0;
		all_cpus &= x.cpu_milli > 0;
	}
	if (all_memory)
		pod->memory_bytes = (uint64_t)memory + (uint64_t)MACHINE_MB * MIB;
	if (all_cpus)
		pod->nano_cpus = (cpus + 999) / 1000 * 1000000000;
	return 0;
}

/* ---- volumes ---- */

const char *kubemap_volume(const struct kubemap *m, const struct kubespec_volume *v)
{
	return v->claim ? v->claim->name : arena_printf(m->a, "%s-%s", m->name, v->name);
}

static int users_of(const struct kubemap *m, const char *volume)
{
	const struct kubespec_containers *lists[] = {&m->spec->init, &m->spec->containers};
	int n = 0;

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			for (size_t j = 0; j < lists[k]->v[i].mounts.n; j++)
				n += streq(lists[k]->v[i].mounts.v[j].name, volume);
	return n;
}

static int memory_mount(const struct kubemap *m, const struct kubespec_volume *v,
			const struct kubespec_mount *at, struct request *q, struct err *e)
{
	auto_json struct json *j = NULL;
	const char *size = v->empty_dir->size_json, *text = NULL;
	int64_t milli = 0;

	if (users_of(m, v->name) > 1 || (at->sub_path && *at->sub_path))
		return err_set(e, ERR_UNSUPPORTED,
			       "pod %s: volume '%s' in memory is not possible for several "
			       "containers: leave medium out, or use /dev/shm, which they share",
			       m->name, v->name);
	if (size && json_parse(size, strlen(size), "sizeLimit", &j, e) < 0)
		return -EINVAL;
	text = j ? json_string(j) : NULL;
	if (size && !quantity_parse(text ? text : size, &milli))
		return err_set(e, ERR_USAGE, "pod %s: volume '%s': sizeLimit is a quantity",
			       m->name, v->name);
	arena_strs_add(m->a, &q->mounts,
		       milli ? arena_printf(m->a, "type=tmpfs,target=%s,tmpfs-size=%lld%s",
					    at->path, (long long)(milli / 1000),
					    at->read_only ? ",readonly" : "")
			     : arena_printf(m->a, "type=tmpfs,target=%s%s", at->path,
					    at->read_only ? ",readonly" : ""));
	return 0;
}

static const struct kubespec_volume *volume_of(const struct kubemap *m,
					       const struct kubespec_mount *at)
{
	const struct kubespec_volume *v = m->spec->volumes.v;

	while (!streq(v->name, at->name))
		v++;
	return v;
}

static bool in_memory(const struct kubespec_volume *v)
{
	return v->empty_dir && v->empty_dir->medium && streq(v->empty_dir->medium, "Memory");
}

static bool is_read_only(const struct kubespec_volume *v, const struct kubespec_mount *at)
{
	return at->read_only || v->config_map || v->secret || (v->claim && v->claim->read_only);
}

/* As --mount says it. */
static const char *spec_of(const struct kubemap *m, const struct kubespec_mount *at,
			   const char *target, bool ro)
{
	const struct kubespec_volume *v = volume_of(m, at);
	const char *p = at->propagation;

	if (v->host_path)
		return arena_printf(m->a, "type=bind,source=%s,target=%s%s%s", v->host_path->path,
				    target, ro ? ",readonly" : "",
				    p && streq(p, "HostToContainer") ? ",bind-propagation=rslave"
				    : p && streq(p, "Bidirectional") ? ",bind-propagation=rshared"
								     : "");
	/* What the image has there is hidden, not copied. */
	return arena_printf(m->a, "type=volume,source=%s,target=%s,volume-nocopy%s%s%s",
			    kubemap_volume(m, v), target, ro ? ",readonly" : "",
			    at->sub_path && *at->sub_path ? ",volume-subpath=" : "",
			    at->sub_path ? at->sub_path : "");
}

static int mount(const struct kubemap *m, const struct kubespec_mount *at, struct request *q,
		 struct err *e)
{
	const struct kubespec_volume *v = volume_of(m, at);

	if (in_memory(v))
		return memory_mount(m, v, at, q, e);
	arena_strs_add(m->a, &q->mounts, spec_of(m, at, at->path, is_read_only(v, at)));
	return 0;
}

/* A machine is given what its containers mount when it is made; each of them sees its own only. */
static void machine_mounts(const struct kubemap *m, struct request *pod)
{
	const struct kubespec_containers *lists[] = {&m->spec->init, &m->spec->containers};
	struct strs seen = {0};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			for (size_t j = 0; j < lists[k]->v[i].mounts.n; j++) {
				const struct kubespec_mount *at = &lists[k]->v[i].mounts.v[j];
				const struct kubespec_volume *v = volume_of(m, at);
				const char *key = spec_of(m, at, "", false);
				size_t n = 0;

				while (n < seen.n && !streq(seen.v[n], key))
					n++;
				if (n < seen.n || in_memory(v))
					continue;
				arena_strs_add(m->a, &seen, key);
				arena_strs_add(m->a, &pod->mounts,
					       spec_of(m, at,
						       arena_printf(m->a, "/run/kube/%zu", n),
						       v->config_map || v->secret));
			}
}

/* ---- the pod ---- */

static void names(const struct kubemap *m, struct request *pod)
{
	const struct kubespec_dns *d = m->spec->dns;

	for (size_t i = 0; d && i < d->servers.n; i++)
		arena_strs_add(m->a, &pod->dns, d->servers.v[i]);
	for (size_t i = 0; d && i < d->searches.n; i++)
		arena_strs_add(m->a, &pod->dns_search, d->searches.v[i]);
	for (size_t i = 0; d && i < d->options.n; i++) {
		const struct kubespec_dns_option *o = &d->options.v[i];

		arena_strs_add(m->a, &pod->dns_options,
			       o->value ? arena_printf(m->a, "%s:%s", o->name, o->value) : o->name);
	}
	for (size_t i = 0; i < m->spec->aliases.n; i++)
		for (size_t k = 0; k < m->spec->aliases.v[i].names.n; k++)
			arena_strs_add(
			    m->a, &pod->hosts,
			    arena_printf(m->a, "%s:%s", m->spec->aliases.v[i].names.v[k],
					 m->spec->aliases.v[i].ip ? m->spec->aliases.v[i].ip : ""));
}

static void ports(const struct kubemap *m, const struct kubespec_containers *l, struct request *pod)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->v[i].ports.n; k++) {
			const struct kubespec_port *p = &l->v[i].ports.v[k];
			const char *proto = p->protocol ? p->protocol : "TCP";

			if (!p->host_port)
				continue;
			arena_strs_add(
			    m->a, &pod->publish,
			    arena_printf(m->a, "%s%s%lld:%lld/%s", p->host_ip ? p->host_ip : "",
					 p->host_ip && *p->host_ip ? ":" : "",
					 (long long)p->host_port, (long long)p->container_port,
					 streq(proto, "UDP")	? "udp"
					 : streq(proto, "SCTP") ? "sctp"
								: "tcp"));
		}
}

static const char *restart_of(const struct kubespec_pod *p)
{
	return !p->restart || streq(p->restart, "Always") ? "always"
	       : streq(p->restart, "OnFailure")		  ? "on-failure"
							  : "no";
}

int kubemap_pod(const struct kubemap *m, struct request *pod, const char **share, struct err *e)
{
	const struct kubespec_pod *p = m->spec;

	*pod = (struct request){.name = m->name, .isolation = m->isolation};
	*share = p->share_processes ? "ipc,net,uts,pid" : "ipc,net,uts";
	if (m->isolation == PLAN_VM && (p->host_network || p->host_pid || p->host_ipc))
		return err_set(e, ERR_UNSUPPORTED,
			       "pod %s: %s is not possible for a VM: a guest kernel has its own",
			       m->name,
			       p->host_network ? "hostNetwork"
			       : p->host_pid   ? "hostPID"
					       : "hostIPC");
	if (p->host_pid || p->host_ipc)
		*share = p->host_ipc ? "net,uts" : "ipc,net,uts";
	pairs(m, &m->meta->labels, &pod->labels);
	arena_strs_add(m->a, &pod->labels, arena_printf(m->a, KUBEMAP_OBJECT "=%s", m->object));
	pairs(m, &m->meta->annotations, &pod->annotations);
	pod->restart = restart_of(p);
	names(m, pod);
	if (p->host_network) {
		pod->network = "host";
		if (p->hostname)
			kubedoc_warn(m->doc, m->a, "pod %s: hostname is left out: hostNetwork",
				     m->name);
	} else {
		pod->hostname = p->hostname;
		ports(m, &p->containers, pod);
		ports(m, &p->init, pod);
	}
	for (size_t i = 0; p->security && i < p->security->sysctls.n; i++)
		arena_strs_add(
		    m->a, &pod->sysctls,
		    arena_printf(
			m->a, "%s=%s",
			p->security->sysctls.v[i].name ? p->security->sysctls.v[i].name : "",
			p->security->sysctls.v[i].value ? p->security->sysctls.v[i].value : ""));
	if (p->host_users_json && streq(p->host_users_json, "false") && m->isolation != PLAN_VM)
		pod->userns_mode = "auto";
	if (m->isolation != PLAN_VM)
		return 0;
	machine_mounts(m, pod);
	return machine(m, pod, e);
}

/* ---- security ---- */

static int user(const struct kubemap *m, const struct kubespec_container *c, struct request *q,
		struct err *e)
{
	const struct kubespec_security none = {0}, *own = c->security ? c->security : &none,
				       *pod = m->spec->security ? m->spec->security : &none;
	struct jbind_optint uid = own->uid.set ? own->uid : pod->uid,
			    gid = own->gid.set ? own->gid : pod->gid;
	const char *non_root = own->non_root_json ? own->non_root_json : pod->non_root_json;

	if (gid.set && !uid.set)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "pod %s: container '%s': runAsGroup is not possible without runAsUser", m->name,
		    c->name);
	if (non_root && streq(non_root, "true") && uid.set && uid.v == 0)
		return err_set(e, ERR_USAGE,
			       "pod %s: container '%s': runAsNonRoot, and runAsUser is 0", m->name,
			       c->name);
	if (uid.set)
		q->user = gid.set
			      ? arena_printf(m->a, "%lld:%lld", (long long)uid.v, (long long)gid.v)
			      : arena_printf(m->a, "%lld", (long long)uid.v);
	for (size_t i = 0; i < pod->groups.n; i++)
		arena_strs_add(m->a, &q->group_add,
			       arena_printf(m->a, "%lld", (long long)pod->groups.v[i]));
	if (pod->fs_group.set)
		arena_strs_add(m->a, &q->group_add,
			       arena_printf(m->a, "%lld", (long long)pod->fs_group.v));
	return 0;
}

static void capabilities(const struct kubemap *m, const struct kubespec_caps *c, struct request *q)
{
	for (size_t i = 0; c && i < c->add.n; i++)
		arena_strs_add(m->a, &q->cap_add, c->add.v[i]);
	for (size_t i = 0; c && i < c->drop.n; i++)
		arena_strs_add(m->a, &q->cap_drop, c->drop.v[i]);
}

static void wall(const struct kubemap *m, const struct kubespec_container *c, struct request *q)
{
	const struct kubespec_security none = {0}, *own = c->security ? c->security : &none,
				       *pod = m->spec->security ? m->spec->security : &none;
	const struct kubespec_profile *seccomp = own->seccomp ? own->seccomp : pod->seccomp,
				      *apparmor = own->apparmor ? own->apparmor : pod->apparmor;

	q->privileged = own->privileged;
	q->read_only = own->read_only_root;
	capabilities(m, own->caps, q);
	if (own->escalation_json && streq(own->escalation_json, "false"))
		arena_strs_add(m->a, &q->security_opt, "no-new-privileges");
	if (own->proc_mount && streq(own->proc_mount, "Unmasked"))
		arena_strs_add(m->a, &q->security_opt, "systempaths=unconfined");
	if (seccomp && streq(seccomp->type, "Unconfined"))
		arena_strs_add(m->a, &q->security_opt, "seccomp=unconfined");
	if (apparmor && !streq(apparmor->type, "RuntimeDefault"))
		arena_strs_add(m->a, &q->security_opt,
			       arena_printf(m->a, "apparmor=%s",
					    streq(apparmor->type, "Unconfined")
						? "unconfined"
						: apparmor->localhost));
}

/* ---- a container ---- */

static void command(const struct kubemap *m, const struct kubespec_container *c, struct request *q)
{
	q->entrypoint_set = c->command.n > 0;
	for (size_t i = 0; i < c->command.n; i++)
		arena_strs_add(m->a, &q->entrypoint, kubeenv_expand(m, c->command.v[i], &q->env));
	for (size_t i = 0; i < c->args.n; i++)
		arena_strs_add(m->a, &q->args, kubeenv_expand(m, c->args.v[i], &q->env));
}

static void labels(const struct kubemap *m, const struct kubespec_container *c, struct request *q)
{
	pairs(m, &m->meta->labels, &q->labels);
	arena_strs_add(m->a, &q->labels, arena_printf(m->a, KUBEMAP_OBJECT "=%s", m->object));
	arena_strs_add(m->a, &q->labels, arena_printf(m->a, KUBEMAP_CONTAINER "=%s", c->name));
	pairs(m, &m->meta->annotations, &q->annotations);
}

int kubemap_container(const struct kubemap *m, const struct kubespec_container *c, bool init,
		      struct request *q, struct err *e)
{
	bool once = init && !c->restart;
	int r;

	*q = (struct request){
	    .image = c->image,
	    .name = arena_printf(m->a, "%s-%s", m->name, c->name),
	    .workdir = c->workdir,
	    .tty = c->tty,
	    .open_stdin = c->in,
	    .restart = once		    ? "no"
		       : init && c->restart ? "always"
					    : restart_of(m->spec),
	    .pod_own_mounts = true,
	    .no_healthcheck = true, /* only probes count in a pod */
	    .stop_timeout_s = {true, m->spec->grace_s.set ? m->spec->grace_s.v : GRACE_S},
	    .pid_mode = m->spec->host_pid ? "host" : NULL,
	    .ipc_mode = m->spec->host_ipc ? "host" : NULL,
	};
	labels(m, c, q);
	r = kubeenv_list(m, c, &q->env, e);
	if (r < 0)
		return r;
	command(m, c, q);
	r = user(m, c, q, e);
	if (r == 0)
		r = limits(m, c, q, e);
	for (size_t i = 0; r == 0 && i < c->mounts.n; i++)
		r = mount(m, &c->mounts.v[i], q, e);
	wall(m, c, q);
	if (r == 0 && !once)
		r = kubeprobe_map(m, c, q, e);
	return r;
}

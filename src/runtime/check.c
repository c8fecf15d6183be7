/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/check.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/cpulist.h"
#include "runtime/mempolicy.h"
#include "runtime/mountopt.h"
#include "runtime/netdevices.h"
#include "runtime/nsset.h"
#include "runtime/process.h"
#include "runtime/rdt.h"
#include "spec/plan.h"
#include "spec/sysctl.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>

#define HOSTNAME_MAX 64		/* __NEW_UTS_LEN */
#define ID_MAX	     UINT32_MAX /* (uid_t)-1 means "no change" and is nobody */
#define MAPS_MAX     340	/* UID_GID_MAP_MAX_EXTENTS */

static int wrong(struct err *e, const char *where, const char *what)
{
	return err_set(e, ERR_USAGE, "%s: %s", where, what);
}

static int text(const char *s, size_t max, const char *where, struct err *e)
{
	if (!s || !*s)
		return wrong(e, where, "is missing or empty");
	if (strlen(s) >= max)
		return err_set(e, ERR_USAGE, "%s: longer than %zu bytes", where, max - 1);
	return 0;
}

static bool absolute(const char *s)
{
	return s && *s == '/';
}

static int rlimits(const struct plan_process *p, struct err *e)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct plan_rlimit *l = &p->rlimits.v[i];
		int n = l->type ? process_rlimit(l->type) : -1;

		if (n < 0)
			return err_set(e, ERR_USAGE, "process.rlimits[%zu].type: unknown '%s'", i,
				       l->type ? l->type : "");
		if (seen & 1U << n)
			return err_set(e, ERR_USAGE,
				       "process.rlimits[%zu].type: '%s' is there twice", i,
				       l->type);
		if (l->soft > l->hard)
			return err_set(e, ERR_USAGE, "process.rlimits[%zu]: soft is above hard", i);
		seen |= 1U << n;
	}
	return 0;
}

static int user(const struct plan_user *u, struct err *e)
{
	if (u->uid == ID_MAX || u->gid == ID_MAX)
		return wrong(e, "process.user", "id 4294967295 is nobody's");
	for (size_t i = 0; i < u->additional_gids.n; i++)
		if (u->additional_gids.v[i] < 0 || u->additional_gids.v[i] >= ID_MAX)
			return err_set(e, ERR_USAGE,
				       "process.user.additionalGids[%zu]: out of range", i);
	if (u->umask.set && (u->umask.v < 0 || u->umask.v > 0777))
		return wrong(e, "process.user.umask", "out of range");
	return 0;
}

static int env(const struct plan_process *p, struct err *e)
{
	for (size_t i = 0; i < p->env.n; i++)
		if (!strchr(p->env.v[i], '=') || p->env.v[i][0] == '=')
			return err_set(e, ERR_USAGE, "process.env[%zu]: wants NAME=value", i);
	return 0;
}

static int priorities(const struct plan_process *p, struct err *e)
{
	const struct plan_scheduler *s = p->scheduler;
	const struct plan_ioprio *io = p->io_priority;

	if (p->oom_score_adj.set && (p->oom_score_adj.v < -1000 || p->oom_score_adj.v > 1000))
		return wrong(e, "process.oomScoreAdj", "wants -1000 to 1000");
	if (s && (!s->policy || process_policy(s->policy) < 0))
		return wrong(e, "process.scheduler.policy", "unknown");
	if (s && (s->nice < -20 || s->nice > 19))
		return wrong(e, "process.scheduler.nice", "wants -20 to 19");
	if (s && s->priority && process_policy(s->policy) != SCHED_FIFO &&
	    process_policy(s->policy) != SCHED_RR)
		return wrong(e, "process.scheduler.priority", "is for SCHED_FIFO and SCHED_RR");
	if (io && (!io->class_ || process_ioclass(io->class_) < 0))
		return wrong(e, "process.ioPriority.class", "unknown");
	if (io && (io->priority < 0 || io->priority > 7))
		return wrong(e, "process.ioPriority.priority", "wants 0 to 7");
	return 0;
}

int check_process(const struct plan_process *p, struct err *e)
{
	unsigned char mask[1024];
	int r;

	if (!p)
		return wrong(e, "process", "is missing");
	if (!p->args.n)
		return wrong(e, "process.args", "must not be empty");
	if (p->command_line)
		return wrong(e, "process.commandLine", "is for Windows");
	r = text(p->cwd, PATH_MAX, "process.cwd", e);
	if (r == 0 && !absolute(p->cwd))
		r = wrong(e, "process.cwd", "must be an absolute path");
	if (r == 0)
		r = user(&p->user, e);
	if (r == 0)
		r = env(p, e);
	if (r == 0)
		r = rlimits(p, e);
	if (r == 0)
		r = priorities(p, e);
	if (r < 0)
		return r;
	if (p->console_size.height > USHRT_MAX || p->console_size.width > USHRT_MAX)
		return wrong(e, "process.consoleSize", "out of range");
	if (p->exec_affinity && p->exec_affinity->initial &&
	    cpulist_parse(p->exec_affinity->initial, mask, sizeof(mask)) < 0)
		return wrong(e, "process.execCPUAffinity.initial", "wants a list such as 0-3,7");
	if (p->exec_affinity && p->exec_affinity->final &&
	    cpulist_parse(p->exec_affinity->final, mask, sizeof(mask)) < 0)
		return wrong(e, "process.execCPUAffinity.final", "wants a list such as 0-3,7");
	return 0;
}

static int root(const struct plan *p, struct err *e)
{
	if (p->root && p->root->path && *p->root->path)
		return text(p->root->path, PATH_MAX, "root.path", e);
	if (!p->caisson || !p->caisson->rootfs.lower.n)
		return wrong(e, "root.path", "is missing");
	return 0;
}

static int mounts(const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct plan_mount *m = &p->mounts.v[i];
		char where[48];
		int r;

		snprintf(where, sizeof(where), "mounts[%zu].destination", i);
		r = text(m->destination, PATH_MAX, where, e);
		if (r < 0)
			return r;
		if (m->source && strlen(m->source) >= PATH_MAX)
			return err_set(e, ERR_USAGE, "mounts[%zu].source: too long", i);
		if (m->type && strlen(m->type) > 64)
			return err_set(e, ERR_USAGE, "mounts[%zu].type: too long", i);
		if (!m->uid_mappings.n != !m->gid_mappings.n)
			return err_set(e, ERR_USAGE,
				       "mounts[%zu]: uidMappings and gidMappings belong together",
				       i);
		for (size_t k = 0; k < m->options.n; k++)
			if (strlen(m->options.v[k]) > 3800)
				return err_set(e, ERR_USAGE, "mounts[%zu].options[%zu]: too long",
					       i, k);
	}
	return 0;
}

static int maps(const struct plan_idmaps *m, const char *where, struct err *e)
{
	if (m->n > MAPS_MAX)
		return err_set(e, ERR_USAGE, "%s: more than %d ranges", where, MAPS_MAX);
	for (size_t i = 0; i < m->n; i++) {
		const struct plan_idmap *x = &m->v[i];

		if (!x->size || x->container_id > ID_MAX - x->size || x->host_id > ID_MAX - x->size)
			return err_set(e, ERR_USAGE, "%s[%zu]: range is empty or passes 2^32",
				       where, i);
	}
	return 0;
}

/* A sysctl of the host's must not be reachable: each name needs the namespace that owns it. */
static int sysctls(const struct plan *p, unsigned int own, struct err *e)
{
	for (size_t i = 0; i < p->linux_->sysctl.n; i++) {
		const char *key = p->linux_->sysctl.v[i].key, *owner = sysctl_owner(key);

		if (!owner)
			return err_set(e, ERR_USAGE, "linux.sysctl: '%s' is not a name", key);
		if (!*owner)
			return err_set(e, ERR_USAGE,
				       "linux.sysctl: \"%s\" is not in a separate kernel namespace",
				       key);
		if (!(own & nsset_flag_of(owner)))
			return err_set(e, ERR_USAGE,
				       "linux.sysctl: \"%s\" needs a %s namespace of its own", key,
				       owner);
	}
	return 0;
}

static int paths(const struct strs *s, const char *where, struct err *e)
{
	for (size_t i = 0; i < s->n; i++)
		if (!absolute(s->v[i]) || strlen(s->v[i]) >= PATH_MAX)
			return err_set(e, ERR_USAGE, "%s[%zu]: wants an absolute path", where, i);
	return 0;
}

static int devices(const struct plan_linux *l, struct err *e)
{
	for (size_t i = 0; i < l->devices.n; i++) {
		const struct plan_device *d = &l->devices.v[i];

		if (!absolute(d->path) || strlen(d->path) >= PATH_MAX)
			return err_set(e, ERR_USAGE,
				       "linux.devices[%zu].path: wants an absolute path", i);
		if (!d->type || !d->type[0] || d->type[1] || !strchr("cbup", d->type[0]))
			return err_set(e, ERR_USAGE, "linux.devices[%zu].type: unknown '%s'", i,
				       d->type ? d->type : "");
		if (d->major < 0 || d->major > 0xfff || d->minor < 0 || d->minor > 0xfffff)
			if (d->type[0] != 'p')
				return err_set(e, ERR_USAGE,
					       "linux.devices[%zu]: device number out of range", i);
	}
	return 0;
}

static int namespaces(const struct plan *p, unsigned int *make, unsigned int *join, struct err *e)
{
	*make = *join = 0;
	for (size_t i = 0; i < p->linux_->namespaces.n; i++) {
		const struct plan_namespace *n = &p->linux_->namespaces.v[i];
		unsigned int flag = n->type ? nsset_flag_of(n->type) : 0;

		if (!flag)
			return err_set(e, ERR_USAGE,
				       "linux.namespaces[%zu].type: unknown namespace '%s'", i,
				       n->type ? n->type : "");
		if ((*make | *join) & flag)
			return err_set(e, ERR_USAGE,
				       "linux.namespaces[%zu].type: '%s' is there twice", i,
				       n->type);
		if (n->path && *n->path && (!absolute(n->path) || strlen(n->path) >= PATH_MAX))
			return err_set(e, ERR_USAGE,
				       "linux.namespaces[%zu].path: wants an absolute path", i);
		*(n->path && *n->path ? join : make) |= flag;
	}
	return 0;
}

static int needs_namespaces(const struct plan *p, unsigned int make, unsigned int join,
			    struct err *e)
{
	const struct plan_linux *l = p->linux_;
	const unsigned int all = make | join;
	const char *word = l->rootfs_propagation;

	if (!(all & CLONE_NEWNS) && (p->mounts.n || l->masked_paths.n || l->readonly_paths.n))
		return wrong(e, "linux.namespaces",
			     "mounts, maskedPaths and readonlyPaths need a mount namespace");
	if (!(all & CLONE_NEWNS) && !(p->root && p->root->path))
		return wrong(e, "linux.namespaces", "an overlay root needs a mount namespace");
	if (p->hostname && *p->hostname && !(all & CLONE_NEWUTS))
		return wrong(e, "hostname", "needs a uts namespace");
	if (p->domainname && *p->domainname && !(all & CLONE_NEWUTS))
		return wrong(e, "domainname", "needs a uts namespace");
	if ((l->uid_mappings.n || l->gid_mappings.n) && !(all & CLONE_NEWUSER))
		return wrong(e, "linux.uidMappings", "need a user namespace");
	if (make & CLONE_NEWUSER && (!l->uid_mappings.n || !l->gid_mappings.n))
		return wrong(e, "linux.uidMappings",
			     "a new user namespace needs uidMappings and gidMappings");
	if (l->time_offsets && !(make & 0x80 /* CLONE_NEWTIME */) &&
	    (l->time_offsets->monotonic || l->time_offsets->boottime))
		return wrong(e, "linux.timeOffsets", "need a new time namespace");
	if (word && *word && !mountopt_propagation(word))
		return wrong(e, "linux.rootfsPropagation", "unknown");
	return 0;
}

/* What a host may not have is asked of it when it is needed; this is about the words. */
static int parts(const struct plan_linux *l, unsigned int all, struct err *e)
{
	int r = 0;

	if (l->net_devices_json) {
		r = netdevices_check(l->net_devices_json, e);
		if (r == 0 && !(all & CLONE_NEWNET))
			r = wrong(e, "linux.netDevices", "need a network namespace");
	}
	if (r == 0 && l->memory_policy)
		r = mempolicy_check(l->memory_policy, e);
	if (r == 0 && l->personality && l->personality->flags.n)
		return err_set(e, ERR_UNSUPPORTED,
			       "linux.personality.flags: '%s': the specification names none",
			       l->personality->flags.v[0]);
	return r == 0 && l->intel_rdt ? rdt_check(l->intel_rdt, e) : r;
}

static int hook_list(const struct plan_hook_list *h, const char *name, struct err *e)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!absolute(h->v[i].path) || strlen(h->v[i].path) >= PATH_MAX)
			return err_set(e, ERR_USAGE, "hooks.%s[%zu].path: wants an absolute path",
				       name, i);
		if (h->v[i].timeout.set && (h->v[i].timeout.v <= 0 || h->v[i].timeout.v > INT_MAX))
			return err_set(e, ERR_USAGE, "hooks.%s[%zu].timeout: must be above 0", name,
				       i);
	}
	return 0;
}

static int hooks(const struct plan_hooks *h, struct err *e)
{
	int r = hook_list(&h->prestart, "prestart", e);

	if (r == 0)
		r = hook_list(&h->create_runtime, "createRuntime", e);
	if (r == 0)
		r = hook_list(&h->create_container, "createContainer", e);
	if (r == 0)
		r = hook_list(&h->start_container, "startContainer", e);
	if (r == 0)
		r = hook_list(&h->poststart, "poststart", e);
	return r < 0 ? r : hook_list(&h->poststop, "poststop", e);
}

int check_plan(const struct plan *p, struct err *e)
{
	unsigned int make, join;
	int r;

	if (!p->linux_)
		return wrong(e, "linux", "is missing");
	if (p->hostname && strlen(p->hostname) > HOSTNAME_MAX)
		return wrong(e, "hostname", "longer than 64 bytes");
	if (p->domainname && strlen(p->domainname) > HOSTNAME_MAX)
		return wrong(e, "domainname", "longer than 64 bytes");
	r = check_process(p->process, e);
	if (r == 0)
		r = root(p, e);
	if (r == 0)
		r = namespaces(p, &make, &join, e);
	if (r == 0)
		r = needs_namespaces(p, make, join, e);
	if (r == 0)
		r = mounts(p, e);
	if (r == 0)
		r = maps(&p->linux_->uid_mappings, "linux.uidMappings", e);
	if (r == 0)
		r = maps(&p->linux_->gid_mappings, "linux.gidMappings", e);
	if (r == 0)
		r = sysctls(p, make | join, e);
	if (r == 0)
		r = devices(p->linux_, e);
	if (r == 0)
		r = paths(&p->linux_->masked_paths, "linux.maskedPaths", e);
	if (r == 0)
		r = paths(&p->linux_->readonly_paths, "linux.readonlyPaths", e);
	if (r == 0)
		r = parts(p->linux_, make | join, e);
	return r == 0 && p->hooks ? hooks(p->hooks, e) : r;
}

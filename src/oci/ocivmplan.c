/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocivmplan.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB	      (1ull << 20)
#define MEMORY_MIN    (128 * MIB)
#define MEMORY_PRESET (256 * MIB)
#define PERIOD_PRESET 100000 /* us, the kernel's own */

uint64_t ocivmplan_memory(const struct plan_resources *r)
{
	uint64_t n;

	if (!r || !r->memory || !r->memory->limit.set || r->memory->limit.v <= 0)
		return MEMORY_PRESET;
	n = (uint64_t)r->memory->limit.v;
	if (n < MEMORY_MIN)
		return MEMORY_MIN;
	return (n + MIB - 1) / MIB * MIB;
}

uint32_t ocivmplan_cpus(const struct plan_resources *r, uint32_t max)
{
	const struct plan_cpu *c = r ? r->cpu : NULL;
	int64_t period = c && c->period.set && c->period.v > 0 ? c->period.v : PERIOD_PRESET;
	int64_t n = 1;

	if (c && c->quota.set && c->quota.v > 0)
		n = (c->quota.v - 1) / period + 1;
	return n > (int64_t)max ? max : (uint32_t)n;
}

static int refuse(struct err *e, const char *what, const char *why)
{
	return err_set(e, ERR_UNSUPPORTED, "%s with isolation vm: %s", what, why);
}

static int check(const struct plan *p, struct err *e)
{
	const struct plan_linux *l = p->linux_;

	if (!p->process)
		return refuse(e, "no process", "a virtual machine is made for one");
	if (plan_namespace_path(p, "user"))
		return refuse(e, "linux.namespaces: user",
			      "the root directory is shared with the machine under the host's ids");
	if (p->hooks && p->hooks->create_container.n)
		return refuse(e, "hooks.createContainer",
			      "it runs in the instance's namespaces, which are in the machine");
	if (p->hooks && p->hooks->start_container.n)
		return refuse(e, "hooks.startContainer",
			      "it runs in the instance's namespaces, which are in the machine");
	if (l->seccomp && l->seccomp->listener_path)
		return refuse(e, "linux.seccomp.listenerPath",
			      "a descriptor of the guest's kernel cannot leave it");
	if (l->intel_rdt)
		return refuse(e, "linux.intelRdt", "the guest has no resctrl");
	if (l->memory_policy)
		return refuse(e, "linux.memoryPolicy", "the machine has memory of one kind");
	if (l->net_devices_json)
		return refuse(e, "linux.netDevices", "the host's interfaces stay on the host");
	return 0;
}

/* runtime-spec "Mounts": a relative source is relative to the bundle. */
static void absolute_sources(struct plan *p, const char *bundle, struct arena *a)
{
	for (size_t i = 0; i < p->mounts.n; i++) {
		struct plan_mount *m = &p->mounts.v[i];
		bool bind = m->type && streq(m->type, "bind");

		for (size_t o = 0; o < m->options.n; o++)
			bind = bind || streq(m->options.v[o], "bind") ||
			       streq(m->options.v[o], "rbind");
		if (bind && m->source && *m->source != '/')
			m->source = arena_printf(a, "%s/%s", bundle, m->source);
	}
}

static int shared_root(const struct plan *p, const char *bundle, struct plan_rootfs *out,
		       struct arena *a, struct err *e)
{
	const char *path = p->root->path;
	struct stat st;

	if (*path != '/')
		path = arena_printf(a, "%s/%s", bundle, path);
	/* As for containers: a root that is a link is more likely planted than meant. */
	if (lstat(path, &st) < 0)
		return err_sys(e, "root.path '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "root.path '%s' is not a directory", path);
	arena_strs_add(a, &out->lower, path);
	return 0;
}

int ocivmplan_adapt(struct plan *p, const char *bundle, const char *id, const char *cache,
		    struct arena *a, struct err *e)
{
	struct plan_caisson *c = arena_alloc(a, sizeof(*c));
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int r = check(p, e);

	if (r < 0)
		return r;
	c->isolation = PLAN_VM;
	c->id = id;
	c->open_stdin = true;
	c->seccomp_cache = cache;
	c->vm = arena_alloc(a, sizeof(*c->vm));
	c->vm->memory_bytes = ocivmplan_memory(p->linux_->resources);
	c->vm->cpus = ocivmplan_cpus(p->linux_->resources, online > 0 ? (uint32_t)online : 1);
	r = shared_root(p, bundle, &c->rootfs, a, e);
	if (r < 0)
		return r;
	absolute_sources(p, bundle, a);
	p->caisson = c;
	return 0;
}

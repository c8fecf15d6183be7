/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/info.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "fmt/mountinfo.h"
#include "store/image.h"
#include "store/rootdriver.h"
#include "store/rootfs.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define PROC_MAX (4u << 20)

static const struct jbind_field isolation_fields[] = {
    JB(struct info_isolation, usable, "usable", JBIND_BOOL, .flags = JBIND_KEEP),
    JB(struct info_isolation, why, "why", JBIND_STR), JB_END};
static const struct jbind isolation_table = {sizeof(struct info_isolation), isolation_fields,
					     false};

static const struct jbind_field vm_fields[] = {
    JB(struct info_vm, usable, "usable", JBIND_BOOL, .flags = JBIND_KEEP),
    JB(struct info_vm, why, "why", JBIND_STR),
    JB(struct info_vm, accel, "accel", JBIND_STR),
    JB(struct info_vm, accel_why, "accelWhy", JBIND_STR),
    JB(struct info_vm, kvm, "kvm", JBIND_STR),
    JB(struct info_vm, hypervisor, "hypervisor", JBIND_STR),
    JB(struct info_vm, kernel, "guestKernel", JBIND_STR),
    JB_END};
static const struct jbind vm_table = {sizeof(struct info_vm), vm_fields, false};

static const struct jbind_field rootless_fields[] = {
    JB(struct info_rootless, ids, "ids", JBIND_UINT),
    JB(struct info_rootless, outside, "outside", JBIND_STR),
    JB(struct info_rootless, limits, "limits", JBIND_STR, .flags = JBIND_KEEP), JB_END};
static const struct jbind rootless_table = {sizeof(struct info_rootless), rootless_fields, false};

static const struct jbind_field counts_fields[] = {
    JB(struct info_counts, running, "running", JBIND_INT, .flags = JBIND_KEEP),
    JB(struct info_counts, paused, "paused", JBIND_INT, .flags = JBIND_KEEP),
    JB(struct info_counts, stopped, "stopped", JBIND_INT, .flags = JBIND_KEEP), JB_END};
static const struct jbind counts_table = {sizeof(struct info_counts), counts_fields, false};

static const struct jbind_field info_fields[] = {
    JB(struct info, version, "version", JBIND_STR),
    JB(struct info, root, "root", JBIND_STR),
    JB(struct info, run_root, "runRoot", JBIND_STR),
    JB(struct info, kernel, "kernel", JBIND_STR),
    JB(struct info, os, "operatingSystem", JBIND_STR),
    JB(struct info, machine, "architecture", JBIND_STR),
    JB(struct info, cpus, "cpus", JBIND_INT, .flags = JBIND_KEEP),
    JB(struct info, memory_bytes, "memory", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct info, cgroup, "cgroup", JBIND_STR),
    JB(struct info, layer_form, "layerForm", JBIND_STR),
    JB(struct info, root_driver, "rootDriver", JBIND_STR),
    JB(struct info, images, "images", JBIND_INT, .flags = JBIND_KEEP),
    JB(struct info, instances, "instances", JBIND_OBJ, .sub = &counts_table, .flags = JBIND_KEEP),
    JB(struct info, rootless, "rootless", JBIND_PTR, .sub = &rootless_table),
    JB(struct info, container, "container", JBIND_OBJ, .sub = &isolation_table,
       .flags = JBIND_KEEP),
    JB(struct info, vm, "vm", JBIND_OBJ, .sub = &vm_table, .flags = JBIND_KEEP),
    JB(struct info, security, "security", JBIND_STRS, .flags = JBIND_KEEP),
    JB(struct info, nftables, "nftables", JBIND_BOOL, .flags = JBIND_KEEP),
    JB(struct info, warnings, "warnings", JBIND_STRS, .flags = JBIND_KEEP),
    JB_END};
const struct jbind info_table = {sizeof(struct info), info_fields, false};

/* What `caisson-monitor --probe` answers (monitor/hostinfo.h). */
struct probe {
	const char *kvm, *why, *accel;
};
struct host {
	struct probe probe;
	const char *qemu, *kernel, *kernel_why, *limits;
};
static const struct jbind_field probe_fields[] = {
    JB(struct probe, kvm, "kvm", JBIND_STR), JB(struct probe, why, "why", JBIND_STR),
    JB(struct probe, accel, "accel", JBIND_STR), JB_END};
static const struct jbind probe_table = {sizeof(struct probe), probe_fields, false};
static const struct jbind_field host_fields[] = {
    JB(struct host, probe, "probe", JBIND_OBJ, .sub = &probe_table, .flags = JBIND_REQUIRED),
    JB(struct host, qemu, "qemu", JBIND_STR),
    JB(struct host, kernel, "kernel", JBIND_STR),
    JB(struct host, kernel_why, "kernelWhy", JBIND_STR),
    JB(struct host, limits, "limits", JBIND_STR),
    JB_END};
static const struct jbind host_table = {sizeof(struct host), host_fields, false};

static void warn(struct arena *a, struct info *i, const char *text)
{
	arena_strs_add(a, &i->warnings, text);
}

static int ask_monitor(struct session *s, struct arena *a, struct host *h, struct err *e)
{
	const char *path = arena_printf(a, "%s/caisson-monitor", s->libexec);
	const char *cache = arena_printf(a, "%s/cache/vm", s->root);
	const char *argv[] = {"caisson-monitor",	 "--probe", cache, "--root", s->root,
			      s->data ? "--data" : NULL, s->data,   NULL};
	auto_free char *text = NULL;
	int out[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = child_start(&(struct child_opts){
	    .path = path, .argv = argv, .fds = (struct child_fd[]){{out[1], 1}}, .nfds = 1});
	close(out[1]);
	n = pid < 0 ? pid : fd_slurp(out[0], 65536, &text);
	close(out[0]);
	if (pid > 0)
		child_wait(pid, &status);
	if (n < 0 || status)
		return err_set(e, ERR_SYSTEM, "%s did not answer", path);
	return jbind_parse(&host_table, text, (size_t)n, h, a, "answer of caisson-monitor", e);
}

const char *info_accelerator(struct session *s, struct arena *a)
{
	struct host h = {0};

	return ask_monitor(s, a, &h, NULL) < 0 ? NULL : h.probe.accel;
}

static void look_at_vm(struct session *s, struct arena *a, struct info *i)
{
	struct host h = {0};
	struct err e = ERR_INIT;

	if (ask_monitor(s, a, &h, &e) < 0) {
		i->vm.why = arena_dup(a, e.msg);
		return;
	}
	if (i->rootless)
		i->rootless->limits = h.limits;
	i->vm.accel = h.probe.accel;
	i->vm.accel_why = h.probe.why;
	i->vm.kvm = h.probe.kvm;
	i->vm.hypervisor = h.qemu;
	i->vm.kernel = h.kernel;
	i->vm.usable = h.qemu && h.kernel;
	if (!h.qemu)
		i->vm.why = "qemu-system-x86_64 is not installed (Debian package qemu-system-x86)";
	else if (!h.kernel)
		i->vm.why = h.kernel_why;
	if (i->vm.usable && h.probe.accel && streq(h.probe.accel, "tcg"))
		warn(a, i, INFO_EMULATED);
}

static void look_at_cgroups(struct arena *a, struct info *i)
{
	auto_free char *text = NULL;
	struct mountinfo_entry m;
	bool v1 = false, v2 = false;
	char *at;

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", PROC_MAX, &text) < 0) {
		warn(a, i, "/proc/self/mountinfo cannot be read");
		return;
	}
	for (at = text; mountinfo_next(&at, &m);) {
		v1 |= streq(m.type, "cgroup");
		v2 |= streq(m.type, "cgroup2");
	}
	i->cgroup = v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none";
	if (!v1 && !v2)
		warn(a, i, "no cgroup file system is mounted: no limits and no statistics");
}

static void look_at_walls(struct arena *a, struct info *i)
{
	auto_free char *lsm = NULL;

	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0)
		arena_strs_add(a, &i->security, "seccomp");
	else
		warn(a, i,
		     "this kernel has no seccomp filters: containers are not confined by system "
		     "call");
	if (file_read(AT_FDCWD, "/sys/kernel/security/lsm", 4096, &lsm) > 0) {
		if (strstr(lsm, "apparmor"))
			arena_strs_add(a, &i->security, "apparmor");
		if (strstr(lsm, "selinux"))
			arena_strs_add(a, &i->security, "selinux");
		if (strstr(lsm, "landlock"))
			arena_strs_add(a, &i->security, "landlock");
	}
	if (access("/proc/self/ns/user", F_OK) == 0)
		arena_strs_add(a, &i->security, "userns");
}

static bool in_path(const char *name)
{
	static const char *const dirs[] = {"/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin"};

	for (size_t k = 0; k < sizeof(dirs) / sizeof(dirs[0]); k++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", dirs[k], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* PRETTY_NAME of os-release(5), without its quotes. */
static const char *os_name(struct arena *a)
{
	auto_free char *text = NULL;
	const char *p, *name = "Linux";

	if (file_read(AT_FDCWD, "/etc/os-release", 65536, &text) < 0)
		return name;
	for (p = text; p; p = strchr(p, '\n')) {
		const char *v;

		p += *p == '\n';
		v = str_after(p, "PRETTY_NAME=");
		if (!v)
			continue;
		v += *v == '"' || *v == '\'';
		return arena_dupn(a, v, strcspn(v, "\"'\n"));
	}
	return name;
}

static void look_at_host(struct arena *a, struct info *i)
{
	struct utsname u;
	struct sysinfo si;

	if (uname(&u) == 0) {
		i->kernel = arena_dup(a, u.release);
		i->machine = arena_dup(a, u.machine);
	}
	if (sysinfo(&si) == 0)
		i->memory_bytes = (uint64_t)si.totalram * si.mem_unit;
	i->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	i->os = os_name(a);
	look_at_cgroups(a, i);
	look_at_walls(a, i);
	i->nftables = in_path("nft");
	if (!i->nftables)
		warn(a, i, "nft is not installed (Debian package nftables): no bridge networks");
}

static int count(struct session *s, struct arena *a, struct info *i, struct err *e)
{
	struct image_records images = {0};
	struct lookups all = {0};
	struct store *store;
	enum layer_form form;
	const char *fuse = NULL;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = image_list(store, a, &images, e);
	if (r == 0)
		r = lookup_all(s, a, &all, e);
	if (r == 0)
		r = rootfs_form(store, &form, e);
	if (r == 0)
		r = rootdriver_pick(store, false, a, &fuse, e);
	if (r < 0)
		return r;
	i->images = (int64_t)images.n;
	i->root_driver = fuse ? ROOTDRIVER_FUSE : "overlayfs";
	i->layer_form = form == LAYER_EROFS ? "erofs" : "directory";
	for (size_t k = 0; k < all.n; k++) {
		i->instances.running += all.v[k].state.status == INSTANCE_RUNNING;
		i->instances.paused += all.v[k].state.status == INSTANCE_PAUSED;
		i->instances.stopped += all.v[k].state.status == INSTANCE_CREATED ||
					all.v[k].state.status == INSTANCE_EXITED;
	}
	return 0;
}

static void look_at_rootless(struct arena *a, struct info *i)
{
	struct info_rootless *r = arena_alloc(a, sizeof(*r));

	i->rootless = r;
	r->ids = userns_ids();
	r->outside = in_path("pasta") ? "pasta" : in_path("slirp4netns") ? "slirp4netns" : NULL;
	if (r->ids == 1)
		warn(a, i,
		     "one user id only: images with files of several owners cannot be unpacked "
		     "(package uidmap, and ranges in /etc/subuid and /etc/subgid)");
	if (!r->outside)
		warn(a, i, "neither pasta (package passt) nor slirp4netns: no bridge networks");
}

/* What the monitor's programs saw. */
static void limits_warning(struct arena *a, struct info *i)
{
	if (i->rootless && i->rootless->limits && !*i->rootless->limits)
		warn(a, i,
		     "no cgroup is delegated to this user: --memory, --cpus and --pids-limit are "
		     "refused, and the default limit of processes is not kept");
}

int info_gather(struct session *s, struct arena *a, struct info *out, struct err *e)
{
	struct info i = {.version = CAISSON_VERSION, .root = s->root, .run_root = s->run_root};
	struct err why = ERR_INIT;
	struct store *store;
	int r;

	r = session_store(s, &store, &why);
	i.container.usable = r >= 0;
	if (r >= 0)
		r = count(s, a, &i, e);
	else
		i.container.why = why.msg;
	if (r < 0 && i.container.usable)
		return r;
	if (userns_inside())
		look_at_rootless(a, &i);
	look_at_host(a, &i);
	look_at_vm(s, a, &i);
	limits_warning(a, &i);
	if (!i.container.usable) {
		i.vm.usable = false;
		i.vm.why = i.container.why;
	}
	*out = i;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every mount is made detached, configured, and only then put on a target that is a descriptor.
 * Fallbacks, each for a reason found in the field:
 *   - fsopen() refused (an outer container's seccomp or LSM): mount(2) onto /proc/self/fd/N;
 *   - mount_setattr() missing (before 5.12): remount by mount(2) after attaching; what is recursive
 *     is refused by name;
 *   - sysfs not allowed (a user namespace without its own network namespace): the host's, bound;
 *   - mqueue, proc "too revealing": an error that names the cause.
 */
#include "runtime/mounts.h"
#include "base/auto.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/copyup.h"
#include "runtime/mountopt.h"
#include "runtime/procfs.h"
#include "runtime/runtime_int.h"
#include "runtime/sources.h"
#include "runtime/target.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"
#include "sys/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* What the kernel locks in a less privileged mount namespace (mount_namespaces(7)), but for access
 * times. */
#define LOCKABLE                                                                                   \
	((uint64_t)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC))

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

struct one {
	struct job *j;
	const struct plan_mount *m;
	const char *path; /* destination */
	const char *type;
	struct mountopt o;
	uint64_t asked; /* bind: of .o.clear, what was named */
	size_t index;
};

static bool is_type(const struct one *o, const char *type)
{
	return streq(o->type, type);
}

/* MS_* spelling of MOUNT_ATTR_*, for kernels and places where only mount(2) works. */
static unsigned long ms_flags(uint64_t attr)
{
	static const struct {
		uint64_t attr;
		unsigned long ms;
	} map[] = {
	    {MOUNT_ATTR_RDONLY, MS_RDONLY},	    {MOUNT_ATTR_NOSUID, MS_NOSUID},
	    {MOUNT_ATTR_NODEV, MS_NODEV},	    {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
	    {MOUNT_ATTR_NOATIME, MS_NOATIME},	    {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
	    {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME},
	};
	unsigned long ms = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (attr & map[i].attr)
			ms |= map[i].ms;
	return ms;
}

/* The flags a mount has now: a remount by mount(2) states all of them. */
static unsigned long present_flags(int fd)
{
	struct statfs st;

	/* ST_* and MS_* agree for these (statfs(2), "f_flags"). */
	return fstatfs(fd, &st) < 0
		   ? 0
		   : (unsigned long)st.f_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC |
						  MS_NOATIME | MS_NODIRATIME);
}

static int change_old(int fd, const struct mountfd_attr *a)
{
	char at[PATH_FD_MAX];
	unsigned long flags = (present_flags(fd) & ~ms_flags(a->clear)) | ms_flags(a->set);

	if (a->recursive || a->set & MOUNT_ATTR_IDMAP)
		return -EOPNOTSUPP;
	if (mount(NULL, path_of_fd(fd, at), NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return -errno;
	return 0;
}

static int change(const struct one *o, int fd, const struct mountfd_attr *a, struct err *e)
{
	int r = mountfd_change(fd, a);

	if (r == -ENOSYS && !a->propagation)
		r = change_old(fd, a);
	if (r == -EOPNOTSUPP || (r == -ENOSYS && a->recursive))
		return err_set(e, ERR_UNSUPPORTED,
			       "mounts[%zu]: recursive mount options need Linux 5.12", o->index);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "set the options of the mount at '%s'", o->path);
	}
	return 0;
}

/* Options and propagation of the mount itself, now attached at fd. */
static int settle(const struct one *o, int fd, bool flags, struct err *e)
{
	struct mountfd_attr a = {.set = o->o.set, .clear = o->o.clear, .userns_fd = -1};
	struct mountfd_attr all = {
	    .set = o->o.rset, .clear = o->o.rclear, .userns_fd = -1, .recursive = true};
	int r = 0;

	if (flags && (a.set || a.clear))
		r = change(o, fd, &a, e);
	if (r == 0 && (all.set || all.clear))
		r = change(o, fd, &all, e);
	for (unsigned int i = 0; r == 0 && i < o->o.propagations; i++) {
		struct mountfd_attr p = {.propagation = o->o.propagation[i] & ~(uint64_t)MS_REC,
					 .userns_fd = -1,
					 .recursive = o->o.propagation[i] & MS_REC};
		char at[PATH_FD_MAX];

		r = mountfd_change(fd, &p);
		if (r == -ENOSYS)
			r = mount(NULL, path_of_fd(fd, at), NULL, o->o.propagation[i], NULL) < 0
				? -errno
				: 0;
		if (r < 0) {
			errno = -r;
			return err_sys(e, "propagation of the mount at '%s'", o->path);
		}
	}
	return r;
}

static int attach(const struct one *o, int fd, int target, struct err *e)
{
	int r = mountfd_attach(fd, target);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "mount '%s'", o->path);
	}
	return 0;
}

/* ---- bind mounts ---- */

/* What a bind mount has of its source's flags: all, when none is named; none but those named, when
 * one is, as mount(8) says and runc does; only how access times are kept stays until something else
 * is said (mount_setattr would take "atime" at its word).  Our own plans name what they want and
 * keep the rest of the host's. */
static void bind_flags(struct one *o)
{
	const uint64_t kept = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;

	if (!o->o.flags)
		return;
	if (!o->o.atime) {
		o->o.set &= ~kept;
		o->o.clear &= ~kept;
	} else {
		o->o.clear |= kept & ~(o->o.set & MOUNT_ATTR_NODIRATIME);
	}
	o->asked = o->o.clear;
	if (!o->j->plan->caisson)
		o->o.clear |= LOCKABLE & ~o->o.set;
	if (!o->j->plan->caisson && !(o->o.set & MOUNT_ATTR_NOSYMFOLLOW))
		o->o.clear |= MOUNT_ATTR_NOSYMFOLLOW;
}

/* In a user namespace the kernel holds on to the host's flags; what the plan did not name then
 * stays as it is. */
static int settle_bind(struct one *o, int fd, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	bind_flags(o);
	r = settle(o, fd, true, &why);
	if (r == -EPERM && o->o.clear & LOCKABLE & ~o->asked) {
		o->o.clear &= ~LOCKABLE | o->asked;
		return settle(o, fd, true, e);
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

static const char *source_of(const struct plan_mount *m)
{
	return m->source && *m->source ? m->source : ".";
}

/* Only our own plans know it: to others it is an option of a file system. */
static const char *subpath_of(const struct job *j, const struct plan_mount *m)
{
	const char *sub = NULL;

	for (size_t i = 0; j->plan->caisson && i < m->options.n; i++)
		sub = str_after(m->options.v[i], "subpath=") ?: sub;
	return sub;
}

/* A part of a volume: whoever writes to the volume may be putting a link in its place right now, so
 * the walk ends beneath the volume or fails, and what it found is what is mounted. */
static int clone_part(const struct job *j, const struct plan_mount *m, const char *sub,
		      bool recursive)
{
	auto_fd int top =
	    openat(j->bundle_fd, source_of(m), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int part = top < 0 ? -errno : path_open(top, sub, O_PATH, 0, PATH_BENEATH);

	return part < 0 ? part : mountfd_clone(part, "", recursive);
}

static int open_source(const struct job *j, const struct plan_mount *m, bool recursive,
		       struct err *e)
{
	const char *number = str_after(source_of(m), "/proc/self/fd/"), *sub = subpath_of(j, m);
	int fd = sub ? clone_part(j, m, sub, recursive)
		     : mountfd_clone(j->bundle_fd, source_of(m), recursive);

	if (sub && fd < 0) {
		errno = -fd;
		return err_sys(e, "'%s': volume-subpath '%s'%s", m->destination, sub,
			       fd == -EXDEV || fd == -ELOOP ? " leads out of the volume" : "");
	}

	/* A mount that is attached nowhere cannot be copied before Linux 6.15; it was handed over
	 * to be used, and once is enough. */
	if (fd == -EINVAL && number) {
		fd = fcntl((int)strtol(number, NULL, 10), F_DUPFD_CLOEXEC, 3);
		fd = fd < 0 ? -errno : fd;
	}
	/* The kernel does not uncover what it has locked below other mounts. */
	if (fd == -EINVAL && j->userns && !recursive)
		return err_set(e, ERR_UNSUPPORTED,
			       "bind source '%s': other mounts lie below it, so that in a user "
			       "namespace it can only be bound with them (rbind)",
			       source_of(m));
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "bind source '%s'", source_of(m));
	}
	return fd;
}

static int idmap(const struct plan_mount *m, const struct mountopt *o, int fd, int userns_fd,
		 struct err *e)
{
	bool own = m->uid_mappings.n || m->gid_mappings.n;
	auto_fd int made = own ? nsset_userns(&m->uid_mappings, &m->gid_mappings, e) : -1;
	struct mountfd_attr a = {.set = MOUNT_ATTR_IDMAP, .recursive = o->ridmap};
	int r;

	if (own && made < 0)
		return made;
	a.userns_fd = own ? made : userns_fd;
	if (a.userns_fd < 0)
		return err_set(e, ERR_USAGE,
			       "'%s': idmap without uidMappings needs a user namespace",
			       m->destination);
	r = mountfd_change(fd, &a);
	if (r == -EINVAL || r == -ENOSYS || r == -EPERM)
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s': ids of this file system cannot be shifted by this kernel",
			       source_of(m));
	if (r < 0) {
		errno = -r;
		return err_sys(e, "shift ids of '%s'", source_of(m));
	}
	return 0;
}

static bool wants_idmap(const struct plan_mount *m, const struct mountopt *o)
{
	return o->idmap || o->ridmap || m->uid_mappings.n || m->gid_mappings.n;
}

int mounts_source(const struct job *j, size_t i, int userns_fd, struct err *e)
{
	const struct plan_mount *m = &j->plan->mounts.v[i];
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int fd = -1;
	struct mountopt o;
	int r;

	r = mountopt_parse(&m->options, &a, &o, e);
	if (r < 0)
		return err_wrap(e, r, "mounts[%zu]", i);
	if (!o.bind && !(m->type && streq(m->type, "bind")))
		return -ENOTBLK;
	if (!j->userns && !wants_idmap(m, &o))
		return -ENOTBLK;
	fd = open_source(j, m, o.recursive, e);
	if (fd < 0)
		return fd;
	if (wants_idmap(m, &o)) {
		r = idmap(m, &o, fd, userns_fd, e);
		if (r < 0)
			return r;
	}
	return take_fd(&fd);
}

/* A named volume that is still empty gets what the image has at its place, as in docker; the engine
 * asks for it with "tmpcopyup".  1: it is empty, *dir is open for reading. */
static int is_empty(int fd, int *dir)
{
	auto_fd int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	int n = 0, copy;
	DIR *d;

	if (own < 0)
		return -errno;
	copy = fcntl(own, F_DUPFD_CLOEXEC, 3);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d) {
		fd_close(copy);
		return -ENOMEM;
	}
	while ((de = readdir(d)) && n < 3)
		n++;
	closedir(d);
	if (n < 3)
		*dir = take_fd(&own);
	return n < 3;
}

static int fill_volume(const struct one *o, int volume, int target, struct err *e)
{
	auto_fd int dir = -1;
	struct stat st;
	int r = is_empty(volume, &dir);

	if (r > 0)
		r = copyup_tree(target, dir);
	if (r == 0 && dir >= 0 && (fstat(target, &st) < 0 || fchmod(dir, st.st_mode & 07777) < 0))
		r = -errno;
	if (r >= 0)
		return 0;
	errno = -r;
	return err_sys(e, "copy '%s' of the image into the volume", o->path);
}

static int bind_one(struct one *o, struct err *e)
{
	struct job *j = o->j;
	auto_fd int fd = j->from_parent ? sources_want(j, (int)o->index, e) : -ENOTBLK, target = -1;
	struct stat st;
	bool made = false;
	int r;

	if (fd == -ENOTBLK)
		fd = open_source(j, o->m, o->o.recursive, e);
	if (fd < 0)
		return fd;
	/* Options of a file system say nothing to a bind mount; the kernel passes over them, and
	 * so do runc and crun ("mode=755" in generated configurations). */
	if (fstat(fd, &st) < 0)
		return err_sys(e, "bind source '%s'", source_of(o->m));
	target = target_open(j->root, o->path, S_ISDIR(st.st_mode), &made, e);
	if (target < 0)
		return target;
	r = target_check(j->root, target, o->path, "bind", fd, e);
	if (r == 0 && o->o.copy_up && !made && S_ISDIR(st.st_mode))
		r = fill_volume(o, fd, target, e);
	if (r == 0)
		r = attach(o, fd, target, e);
	return r < 0 ? r : settle_bind(o, fd, e);
}

/* ---- file systems ---- */

/* An outer container's seccomp filter or LSM may know mount(2) only. */
static int mount_old(const struct one *o, int target, struct err *e)
{
	char at[PATH_FD_MAX], data[4096] = "";
	size_t used = 0;

	for (size_t i = 0; i < o->o.data.n; i++) {
		int n = snprintf(data + used, sizeof(data) - used, "%s%s", i ? "," : "",
				 o->o.data.v[i]);

		if (n < 0 || (size_t)n >= sizeof(data) - used)
			return err_set(e, ERR_LIMIT, "mounts[%zu].options: too long", o->index);
		used += (size_t)n;
	}
	if (mount(o->m->source ? o->m->source : o->type, path_of_fd(target, at), o->type,
		  ms_flags(o->o.set), data) < 0)
		return err_sys(e, "mount '%s' at '%s'", o->type, o->path);
	return 0;
}

static int blocked(int r)
{
	return r == -ENOSYS || r == -EPERM || r == -EACCES;
}

/* The source is the name that mountinfo shows. */
static int new_fs(struct one *o, uint64_t attr, char *why, size_t size)
{
	const char *source = o->m->source && *o->m->source ? o->m->source : o->type;

	if (strlen(source) < 240)
		arena_strs_add(&o->j->arena, &o->o.data,
			       arena_printf(&o->j->arena, "source=%s", source));
	return mountfd_new(o->type, o->o.data.v, o->o.data.n, attr, why, size);
}

static int fs_error(const struct one *o, int r, const char *why, struct err *e)
{
	errno = -r;
	if (r == -EPERM && (is_type(o, "proc") || is_type(o, "sysfs")))
		return err_set(
		    e, ERR_DENIED,
		    "mount '%s' at '%s': not permitted: the %s of the outer container or "
		    "host has masked parts, or the network or pid namespace is not the "
		    "user namespace's own",
		    o->type, o->path, o->path);
	return err_sys(e, "mount '%s' at '%s'%s%s", o->type, o->path, *why ? ": " : "", why);
}

static int attach_fs(struct one *o, int target, int *out, struct err *e)
{
	char why[160] = "";
	auto_fd int fd = new_fs(o, o->o.set, why, sizeof(why));
	int r;

	if (blocked(fd)) {
		struct err old = ERR_INIT;

		r = mount_old(o, target, &old);
		if (r < 0)
			return fs_error(o, fd == -ENOSYS ? r : fd, why, e);
		*out = -1;
		return 0;
	}
	if (fd < 0)
		return fs_error(o, fd, why, e);
	r = attach(o, fd, target, e);
	if (r == 0)
		r = settle(o, fd, false, e);
	*out = r < 0 ? -1 : take_fd(&fd);
	return r;
}

static int proc_one(struct one *o, struct err *e)
{
	auto_fd int target = target_ordinary(o->j->root, o->path, o->type, e), fd = -1;
	struct err why = ERR_INIT;
	int r;

	if (target < 0)
		return target;
	r = target_check(o->j->root, target, o->path, o->type, -1, e);
	if (r < 0)
		return r;
	r = attach_fs(o, target, &fd, &why);
	/* proc shows the pid namespace of the mounter, and may be mounted only by who owns that. In
	 * a user's engine that of the host (--pid host) is not ours: its /proc is bound. */
	if (blocked(r) && userns_inside() && !plan_namespace_path(o->j->plan, "pid")) {
		fd = mountfd_clone(AT_FDCWD, "/proc", true);
		if (fd >= 0 && mountfd_attach(fd, target) == 0)
			return settle(o, fd, true, e);
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

static int sysfs_one(struct one *o, struct err *e)
{
	auto_fd int target = target_ordinary(o->j->root, o->path, o->type, e), fd = -1;
	struct err why = ERR_INIT;
	int r;

	if (target < 0)
		return target;
	r = target_check(o->j->root, target, o->path, o->type, -1, e);
	if (r < 0)
		return r;
	r = attach_fs(o, target, &fd, &why);
	if (r >= 0)
		return r;
	/* sysfs shows the network devices of the mounter's network namespace and may be mounted
	 * only by who owns that.  A caller who does mounts it for us; otherwise, with the host's
	 * network in a user namespace, the host's /sys is bound, read-only unless the caller may
	 * write there anyway. */
	if (blocked(r) && o->j->from_parent) {
		fd = sources_want(o->j, (int)o->index, e);
		if (fd >= 0) {
			r = attach(o, fd, target, e);
			return r < 0 ? r : settle(o, fd, true, e);
		}
		if (fd != -ENOTBLK)
			return fd;
	}
	if (blocked(r) && (o->j->userns || o->j->rootless || userns_inside())) {
		fd = mountfd_clone(AT_FDCWD, "/sys", true);
		if (fd >= 0 && mountfd_attach(fd, target) == 0)
			return settle(o, fd, true, e);
	}
	if (e)
		*e = why;
	return r;
}

static bool has_option(const struct one *o, const char *prefix)
{
	for (size_t i = 0; i < o->o.data.n; i++)
		if (str_after(o->o.data.v[i], prefix))
			return true;
	return false;
}

/* A read-only /dev must still take its submounts and nodes. */
static int read_only_later(struct job *j, int *fd, const struct one *o, struct err *e)
{
	/* By mount(2) there is no descriptor of it: what lies on the target now. */
	if (*fd < 0)
		*fd = target_open(j->root, o->path, true, NULL, e);
	if (*fd < 0)
		return *fd;
	if (!j->late)
		j->late = arena_array(&j->arena, j->plan->mounts.n, sizeof(*j->late));
	j->late[j->late_n++] = take_fd(fd);
	return 0;
}

int mounts_finish(struct job *j, struct err *e)
{
	struct mountfd_attr ro = {.set = MOUNT_ATTR_RDONLY, .userns_fd = -1};

	for (size_t i = 0; i < j->late_n; i++) {
		int r = mountfd_change(j->late[i], &ro);

		if (r == -ENOSYS)
			r = change_old(j->late[i], &ro);
		close(j->late[i]);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "make a tmpfs read-only");
		}
	}
	j->late_n = 0;
	return 0;
}

static int tmpfs_one(struct one *o, struct err *e)
{
	struct job *j = o->j;
	uint64_t late = o->o.set & MOUNT_ATTR_RDONLY;
	auto_fd int fd = -1, target = -1;
	char why[160] = "";
	struct stat st;
	bool made;
	int r;

	target = target_open(j->root, o->path, true, &made, e);
	if (target < 0)
		return target;
	r = target_check(j->root, target, o->path, o->type, -1, e);
	if (r < 0)
		return r;
	/* What the image's directory looks like is what its author expects of the tmpfs over it. */
	if (!made && !has_option(o, "mode=") && fstat(target, &st) == 0)
		arena_strs_add(&j->arena, &o->o.data,
			       arena_printf(&j->arena, "mode=%o", st.st_mode & 07777));
	o->o.set &= ~late;
	if (!o->o.copy_up) {
		r = attach_fs(o, target, &fd, e);
		return r < 0 || !late ? r : read_only_later(j, &fd, o, e);
	}
	fd = new_fs(o, o->o.set, why, sizeof(why));
	if (fd < 0)
		return fs_error(o, fd, why, e);
	r = copyup_tree(target, fd);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "tmpcopyup: copy '%s'", o->path);
	}
	r = attach(o, fd, target, e);
	if (r == 0)
		r = settle(o, fd, false, e);
	return r < 0 || !late ? r : read_only_later(j, &fd, o, e);
}

static int other_one(struct one *o, struct err *e)
{
	auto_fd int target = target_open(o->j->root, o->path, true, NULL, e), fd = -1;
	int r;

	if (target < 0)
		return target;
	r = target_check(o->j->root, target, o->path, o->type, -1, e);
	if (r == 0)
		r = attach_fs(o, target, &fd, e);
	if (r == 0 && is_type(o, "devpts") && fd >= 0 && streq(o->path, "/dev/pts")) {
		fd_close(o->j->devpts);
		o->j->devpts = take_fd(&fd);
	}
	return r;
}

/* ---- cgroups ---- */

static int bind_cgroup(struct one *o, const struct cgroup_place *c, int target, struct err *e)
{
	struct mountfd_attr a = {.set = o->o.set, .clear = o->o.clear, .userns_fd = -1};
	char path[4096];
	auto_fd int fd = -1;
	int r;

	/* By path, seen from this mount namespace: a descriptor of the parent's would not do. */
	snprintf(path, sizeof(path), "%s/%s", c->mount, c->path);
	fd = mountfd_clone(AT_FDCWD, path, false);
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "bind cgroup '%s'", path);
	}
	r = attach(o, fd, target, e);
	return r < 0 ? r : change(o, fd, &a, e);
}

/* v1: a tmpfs with one directory per hierarchy, each the instance's own cgroup.  With a cgroup
 * namespace that is the same as mounting the hierarchy, for two system calls instead of six. */
static int cgroup_v1(struct one *o, const struct cgroup_place *c, size_t n, struct err *e)
{
	static const char *const opts[] = {"mode=755"};
	struct mountfd_attr ro = {.set = o->o.set, .userns_fd = -1};
	auto_fd int target = target_open(o->j->root, o->path, true, NULL, e), fd = -1;
	int r;

	if (target < 0)
		return target;
	r = target_check(o->j->root, target, o->path, o->type, -1, e);
	if (r < 0)
		return r;
	fd = mountfd_new("tmpfs", opts, 1, o->o.set & ~(uint64_t)MOUNT_ATTR_RDONLY, NULL, 0);
	r = fd < 0 ? fd : mountfd_attach(fd, target);
	if (r < 0)
		return fs_error(o, r, "", e);
	for (size_t i = 0; i < n; i++) {
		const char *base = strrchr(c[i].mount, '/');
		auto_fd int dir = -1;

		base = base ? base + 1 : c[i].mount;
		if (mkdirat(fd, base, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make '%s/%s'", o->path, base);
		dir = openat(fd, base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			return err_sys(e, "open '%s/%s'", o->path, base);
		r = bind_cgroup(o, &c[i], dir, e);
		if (r < 0)
			return r;
		/* "cpu,cpuacct" is also found as cpu and as cpuacct. */
		for (const char *w = base; strchr(base, ',') && *w; w += strspn(w, ",")) {
			char name[64];

			snprintf(name, sizeof(name), "%.*s", (int)strcspn(w, ","), w);
			if (symlinkat(base, fd, name) < 0 && errno != EEXIST)
				return err_sys(e, "link '%s/%s'", o->path, name);
			w += strcspn(w, ",");
		}
	}
	return ro.set & MOUNT_ATTR_RDONLY ? change(o, fd, &ro, e) : 0;
}

/* A user who may not make cgroups: what the host shows everybody, for reading. */
static int host_cgroups(struct one *o, int target, struct err *e)
{
	struct mountfd_attr ro = {.set = LOCKABLE, .userns_fd = -1, .recursive = true};
	auto_fd int fd = mountfd_clone(AT_FDCWD, "/sys/fs/cgroup", true);
	int r;

	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "bind '/sys/fs/cgroup'");
	}
	r = change(o, fd, &ro, e);
	return r < 0 ? r : attach(o, fd, target, e);
}

static int cgroup_v2(struct one *o, const struct cgroup_place *c, size_t n, struct err *e)
{
	auto_fd int target = target_open(o->j->root, o->path, true, NULL, e), fd = -1;
	struct err why = ERR_INIT;
	int r;

	if (target < 0)
		return target;
	r = target_check(o->j->root, target, o->path, o->type, -1, e);
	if (r < 0)
		return r;
	o->type = "cgroup2";
	if (o->j->ns.make & CLONE_NEWCGROUP && o->j->in_cgroup) {
		r = attach_fs(o, target, &fd, &why);
		if (r >= 0)
			return r;
	}
	/* The host's cgroup namespace, or a user namespace that may not mount: the own directory.
	 */
	for (size_t i = 0; i < n; i++)
		if (c[i].version == 2)
			return bind_cgroup(o, &c[i], target, e);
	if (why.kind && !o->j->rootless) {
		if (e)
			*e = why;
		return r;
	}
	if (o->j->rootless)
		return host_cgroups(o, target, e);
	return err_set(e, ERR_UNSUPPORTED, "mount '%s': the instance has no cgroup to show",
		       o->path);
}

static int cgroup_one(struct one *o, struct err *e)
{
	const struct cgroup_place *c = NULL;
	size_t n = o->j->cgroup ? cgroup_places(o->j->cgroup, &c) : 0, v1 = 0;

	for (size_t i = 0; i < n; i++)
		v1 += c[i].version == 1;
	if (is_type(o, "cgroup2") || (!v1 && !o->j->cgroup_v1))
		return cgroup_v2(o, c, n, e);
	return cgroup_v1(o, c, n, e);
}

/* ---- all ---- */

static int add_label(struct one *o, struct err *e)
{
	const char *label = o->j->plan->linux_->mount_label;

	if (!label || !*label)
		return 0;
	/* Its file system is there, on the host, when it is. */
	if (access("/sys/fs/selinux/enforce", F_OK) < 0)
		return err_set(e, ERR_UNSUPPORTED, "linux.mountLabel '%s': SELinux is not enabled",
			       label);
	arena_strs_add(&o->j->arena, &o->o.data, arena_printf(&o->j->arena, "context=%s", label));
	return 0;
}

static int make_one(struct one *o, struct err *e)
{
	int r;

	if (o->o.bind || is_type(o, "bind"))
		return bind_one(o, e);
	if (o->o.idmap || o->o.ridmap)
		return err_set(e, ERR_USAGE, "mounts[%zu]: idmap is for bind mounts", o->index);
	if (is_type(o, "proc"))
		return proc_one(o, e);
	if (is_type(o, "sysfs"))
		return sysfs_one(o, e);
	if (is_type(o, "cgroup") || is_type(o, "cgroup2"))
		return cgroup_one(o, e);
	r = add_label(o, e);
	if (r < 0)
		return r;
	if (is_type(o, "tmpfs"))
		return tmpfs_one(o, e);
	return other_one(o, e);
}

/* A destination may be written as the host sees it, with the path of the root before it; runc's
 * callers do that. */
static const char *inside(struct job *j, const char *destination)
{
	const char *root = j->plan->root ? j->plan->root->path : NULL, *rest;

	if (root && *root != '/')
		root =
		    arena_printf(&j->arena, "%s/%s", j->opts->bundle ? j->opts->bundle : "", root);
	rest = root && *root && !streq(root, "/") ? str_after(destination, root) : NULL;
	return rest && *rest == '/' ? rest : destination;
}

int mounts_make(struct job *j, struct err *e)
{
	for (size_t i = 0; i < j->plan->mounts.n; i++) {
		const struct plan_mount *m = &j->plan->mounts.v[i];
		struct one o = {.j = j, .m = m, .path = inside(j, m->destination), .index = i};
		int r = mountopt_parse(&m->options, &j->arena, &o.o, e);

		if (r < 0)
			return err_wrap(e, r, "mounts[%zu]", i);
		o.type = m->type && *m->type ? m->type : o.o.bind ? "bind" : "none";
		if (streq(o.type, "none") && !o.o.bind)
			return err_set(e, ERR_USAGE, "mounts[%zu].type: missing", i);
		r = make_one(&o, e);
		if (r < 0)
			return r;
	}
	return 0;
}

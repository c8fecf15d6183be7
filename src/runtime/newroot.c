/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root that is a directory of the host is attached where it lies, as in runc: hooks that enter
 * the mount namespace of a created instance find it by its path (NVIDIA's do), and so does a bind
 * mount whose source is something that an earlier mount has put into the root.
 *
 * Any other root (an overlay of ours; a place that a user namespace cannot reach) is attached on
 * top of the "/" of the new mount namespace: that needs no directory of the host, and no path of
 * the host's storage shows in the instance's mountinfo.  Walks that begin at the old "/" go on in
 * the old tree (the kernel does not look above a process's root), so host paths still work until
 * newroot_enter().
 *
 * The overlay is made in the mount namespace where the layers are mounted.  Straight case: enter
 * it, make a detached overlay, come back.  Hard cases (an upper directory in memory, ids shifted,
 * a kernel that takes layers only as one string): a private copy of that namespace, arranged as
 * needed, which vanishes when we come back; the overlay keeps its own references.
 */
#include "runtime/newroot.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "fmt/mountinfo.h"
#include "runtime/mountopt.h"
#include "runtime/runtime_int.h"
#include "runtime/sources.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/mountfd.h"
#include "sys/overlay.h"
#include "sys/path.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MOUNTINFO_MAX (16u << 20)

static int in_directory(const char *dir, const char *what, struct err *e)
{
	if (chdir(dir) < 0)
		return err_sys(e, "%s '%s'", what, dir);
	return 0;
}

static struct overlay_spec spec_of(const struct plan_rootfs *r, const char *upper, const char *work)
{
	return (struct overlay_spec){
	    .lower = &r->lower, .upper = upper, .work = work, .options = r->userns_options};
}

/* A detached copy of dir, shifted, put over dir itself. */
static int shift(const char *dir, int userns_fd, struct err *e)
{
	struct mountfd_attr attr = {.set = MOUNT_ATTR_IDMAP, .userns_fd = userns_fd};
	auto_fd int fd = mountfd_clone(AT_FDCWD, dir, false);
	auto_fd int target = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	r = fd < 0 ? fd : target < 0 ? -errno : mountfd_change(fd, &attr);
	if (r == 0)
		r = mountfd_attach(fd, target);
	if (r == -EINVAL || r == -EPERM || r == -ENOSYS)
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s': this kernel cannot shift ids of its file system", dir);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "shift ids of '%s'", dir);
	}
	return 0;
}

/* What overlayfs writes by itself (its work directory, copies of files) it writes as who mounted
 * it, and a shifted file system takes nothing of an id that it does not have: be the owner of the
 * shifted directory, with all capabilities.  This is a process of its own
 * (newroot_overlay_aside()). */
static int become_owner(const char *dir, struct err *e)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return err_sys(e, "'%s'", dir);
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return err_sys(e, "keep capabilities");
	setfsgid(st.st_gid);
	setfsuid(st.st_uid);
	return 0;
}

/* upper and work must lie on one mount, so the directory that holds both is shifted. */
static int shift_all(const struct plan_rootfs *r, int userns_fd, struct err *e)
{
	char parent[4096];
	char *slash;
	int ret = 0;

	for (size_t i = 0; i < r->lower.n && ret == 0; i++)
		ret = shift(r->lower.v[i], userns_fd, e);
	if (ret < 0 || !r->upper)
		return ret;
	snprintf(parent, sizeof(parent), "%s", r->upper);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent || strncmp(parent, r->work, (size_t)(slash - parent) + 1))
		return err_set(e, ERR_USAGE, "upper and work directory are not beside each other");
	*slash = '\0';
	ret = shift(parent, userns_fd, e);
	return ret < 0 ? ret : become_owner(parent, e);
}

/* Upper and work directory in memory: a tmpfs on top of "/", whose root becomes the cwd. */
static int upper_in_memory(struct err *e)
{
	static const char *const opts[] = {"mode=0755"};
	auto_fd int fd = mountfd_new("tmpfs", opts, 1, 0, NULL, 0);
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? fd : root < 0 ? -errno : mountfd_attach(fd, root);

	if (r == 0 &&
	    (mkdirat(fd, "upper", 0755) < 0 || mkdirat(fd, "work", 0700) < 0 || fchdir(fd) < 0))
		r = -errno;
	if (r < 0) {
		errno = -r;
		return err_sys(e, "writable layer in memory");
	}
	return 0;
}

/* In a private copy of the layers' namespace. */
static int overlay_hard(const struct plan_rootfs *r, int userns_fd, struct err *e)
{
	const char *upper = r->upper, *work = r->work;
	struct overlay_spec o;
	int ret;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "private copy of the layers' mount namespace");
	if (userns_fd >= 0) {
		ret = shift_all(r, userns_fd, e);
		if (ret < 0)
			return ret;
	}
	if (!upper) {
		ret = upper_in_memory(e);
		if (ret < 0)
			return ret;
		upper = "upper";
		work = "work";
	}
	o = spec_of(r, upper, work);
	return overlay_private(&o, e);
}

static int overlay_here(const struct plan_rootfs *r, int userns_fd, struct err *e)
{
	struct overlay_spec o = spec_of(r, r->upper, r->work);
	struct err first = ERR_INIT;
	int fd;

	/* What the layers' names are read against, and so that no cwd of ours stays. */
	fd = in_directory("/", "directory", e);
	if (fd < 0)
		return fd;
	if (userns_fd < 0 && r->upper) {
		fd = overlay_new(&o, &first);
		if (fd >= 0)
			return fd;
		/* Before 6.7 "lowerdir+" is an unknown option.  Anything else will not get better.
		 */
		if (first.sys != EINVAL) {
			if (e)
				*e = first;
			return fd;
		}
	}
	return overlay_hard(r, userns_fd, e);
}

int newroot_overlay(const struct plan_rootfs *r, int userns_fd, struct err *e)
{
	auto_fd int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), layers = -1;
	int fd;

	if (!r->lower.n || r->lower.n > OVERLAY_LOWER_MAX)
		return err_set(e, ERR_USAGE,
			       "caisson.rootfs.lower: %zu layers, 1 to %d are possible", r->lower.n,
			       OVERLAY_LOWER_MAX);
	if (!r->upper != !r->work)
		return err_set(e, ERR_USAGE, "caisson.rootfs: upper without work");
	if (own < 0)
		return err_sys(e, "open '/proc/self/ns/mnt'");
	if (r->layer_ns) {
		layers = open(r->layer_ns, O_RDONLY | O_CLOEXEC);
		if (layers < 0)
			return err_sys(e, "mount namespace of the layers '%s'", r->layer_ns);
		if (setns(layers, CLONE_NEWNS) < 0)
			return err_sys(e, "join '%s'", r->layer_ns);
	}
	fd = overlay_here(r, userns_fd, e);
	if (setns(own, CLONE_NEWNS) < 0) {
		fd_close(fd);
		return err_sys(e, "return to own mount namespace");
	}
	return fd;
}

int newroot_overlay_aside(const struct plan_rootfs *r, int userns_fd, struct err *e)
{
	int pair[2], fd, ret;
	struct handshake h;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	pid = fork();
	if (pid == 0) {
		struct err why = ERR_INIT;

		fd = newroot_overlay(r, userns_fd, &why);
		if (fd < 0)
			handshake_fail(pair[1], &why);
		else
			handshake_send(pair[1], HANDSHAKE_SOURCE, 0, fd, NULL);
		_exit(0);
	}
	close(pair[1]);
	ret =
	    pid < 0 ? err_sys(e, "fork") : handshake_expect(pair[0], HANDSHAKE_SOURCE, &h, &fd, e);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (ret == 0 && fd < 0)
		return err_set(e, ERR_SYSTEM, "overlay: no descriptor came back");
	return ret < 0 ? ret : fd;
}

int newroot_bind(const struct job *j, struct err *e)
{
	const char *path = j->plan->root->path;
	struct stat st;
	int fd;

	/* Following a link here would be the host's own business, but runc refuses it and so its
	 * callers never rely on it: a root that is a link is more likely planted. */
	if (fstatat(j->bundle_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "root.path '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "root.path '%s' is not a directory", path);
	/* Recursive: what the caller mounted below its root belongs to it. */
	fd = mountfd_clone(j->bundle_fd, path, true);
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "root.path '%s'", path);
	}
	return fd;
}

static unsigned long wanted_propagation(const struct job *j)
{
	const char *word = j->plan->linux_->rootfs_propagation;

	return word && *word ? mountopt_propagation(word) : 0;
}

/* The directory that is the root, or -1 where it cannot be reached.  Not with shared propagation:
 * pivot_root() wants the mount that it lies on private, and that is the host's to say. */
static int own_place(const struct job *j)
{
	const struct plan_root *r = j->plan->root;

	if (!r || !r->path)
		return -1;
	return openat(j->bundle_fd, r->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_root(const struct job *j, struct err *e)
{
	int fd;

	if (j->plan->root && j->plan->root->path)
		return newroot_bind(j, e);
	if (j->opts->root <= 0)
		return newroot_overlay(&j->plan->caisson->rootfs, -1, e);
	fd = fcntl(j->opts->root, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_sys(e, "root") : fd;
}

int newroot_attach(struct job *j, struct err *e)
{
	unsigned long wanted = wanted_propagation(j), host = MS_SLAVE | MS_REC;
	struct mountfd_attr cut = {.propagation = MS_PRIVATE, .userns_fd = -1};
	auto_fd int place = -1, tree = -1;
	int r;

	if (j->from_parent) {
		tree = sources_want(j, SOURCES_ROOT, e);
		if (tree < 0 && tree != -ENOTBLK)
			return tree;
	}

	/* Nothing of ours may reach the host's mount table.  "shared" asks for the opposite, as far
	 * as bind mounts go, and is the one setting that keeps the connection. */
	if (wanted & MS_SHARED)
		host = MS_SHARED | MS_REC;
	if (mount(NULL, "/", NULL, host, NULL) < 0)
		return err_sys(e, "cut mount propagation");
	if (tree < 0)
		tree = make_root(j, e);
	if (tree < 0)
		return tree;
	/* pivot_root wants neither the old nor the new root shared. */
	if (wanted & MS_SHARED && mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make the old root private");
	r = mountfd_change(tree, &cut);
	if (r < 0 && r != -ENOSYS) {
		errno = -r;
		return err_sys(e, "make the root private");
	}
	place = wanted & MS_SHARED ? -1 : own_place(j);
	j->on_slash = place < 0;
	if (place < 0)
		place = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = place < 0 ? -errno : mountfd_attach(tree, place);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "attach the root");
	}
	j->root = take_fd(&tree);
	return 0;
}

/* Is a at or below b, as paths of one mountinfo? */
static bool is_below(const char *a, const char *b)
{
	const char *rest = str_after(a, b);

	return rest && (!*rest || *rest == '/');
}

/* Take away, or cover, one mount of the old tree. */
static int drop_one(const char *at, struct err *e)
{
	if (umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT)
		return 0;
	/* Locked together with its parent, in a user namespace: then it is covered for good. */
	if ((errno == EINVAL || errno == EPERM) && mount("tmpfs", at, "tmpfs", 0, NULL) == 0)
		return 0;
	return err_sys(e, "no-pivot: take '%s' away", at);
}

/* Without pivot_root (the old root is an initramfs, which cannot be pivoted away) the old tree
 * stays below ours: unreachable by path, but the kernel lets a user namespace inside mount a fresh
 * procfs or sysfs when it sees a whole one anywhere in the mount namespace ("mount too revealing"),
 * and in that /proc/sysrq-trigger and everything else masked would lie open.  So every one of the
 * old tree goes, wherever it is mounted; the newest first, which lies on top. */
static int drop_old_mounts(const char *keep, struct err *e)
{
	struct strs at = {0};
	struct mountinfo_entry m;
	auto_arena struct arena a = ARENA_INIT;
	auto_free char *text = NULL;
	char *next;
	int r = 0;

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text) < 0)
		return err_sys(e, "no-pivot: read /proc/self/mountinfo");
	next = text;
	while (mountinfo_next(&next, &m))
		if ((streq(m.type, "proc") || streq(m.type, "sysfs")) &&
		    !(keep && is_below(m.target, keep)))
			arena_strs_add(&a, &at, arena_dup(&a, m.target));
	for (size_t i = at.n; r == 0 && i-- > 0;)
		r = drop_one(at.v[i], e);
	return r;
}

/* chroot alone: the root moves onto "/" first, so that nothing is above or beside it. */
static int enter_without_pivot(struct job *j, struct err *e)
{
	char keep[PATH_MAX] = "";
	int r;

	if (!j->on_slash) {
		char at[PATH_FD_MAX];
		ssize_t n = readlink(path_of_fd(j->root, at), keep, sizeof(keep) - 1);

		if (n < 0)
			return err_sys(e, "no-pivot: path of the root");
		keep[n] = '\0';
	}
	r = drop_old_mounts(*keep ? keep : NULL, e);
	if (r < 0)
		return r;
	if (!j->on_slash) {
		auto_fd int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		r = slash < 0 ? -errno : mountfd_attach(j->root, slash);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "no-pivot: move the root");
		}
	}
	return 0;
}

int newroot_enter(struct job *j, struct err *e)
{
	if (j->opts->no_pivot) {
		int r = enter_without_pivot(j, e);

		if (r < 0)
			return r;
	}
	if (fchdir(j->root) < 0)
		return err_sys(e, "enter the root");
	if (j->opts->no_pivot || !(j->ns.make & CLONE_NEWNS || j->ns.join & CLONE_NEWNS)) {
		if (chroot(".") < 0)
			return err_sys(e, "chroot");
	} else {
		auto_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		/* The old root ends up on top of the new one (pivot_root(2)) and is taken away;
		 * slave first, where it is still shared, so that the host keeps its mounts. */
		if (old < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || fchdir(old) < 0)
			return err_sys(e, "pivot_root");
		if (wanted_propagation(j) & MS_SHARED &&
		    mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
			return err_sys(e, "cut propagation of the old root");
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, "detach the old root");
	}
	if (chdir("/") < 0)
		return err_sys(e, "enter the root");
	return 0;
}

int newroot_finish(struct job *j, struct err *e)
{
	unsigned long wanted = wanted_propagation(j);
	struct mountfd_attr ro = {.set = MOUNT_ATTR_RDONLY, .userns_fd = -1};
	int r;

	if (wanted && mount(NULL, "/", NULL, wanted, NULL) < 0)
		return err_sys(e, "linux.rootfsPropagation");
	if (!j->plan->root || !j->plan->root->readonly)
		return 0;
	r = mountfd_change(j->root, &ro);
	/* Linux before 5.12. */
	if (r == -ENOSYS)
		r = mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0 ? -errno : 0;
	if (r < 0) {
		errno = -r;
		return err_sys(e, "make the root read-only");
	}
	return 0;
}

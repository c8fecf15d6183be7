/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: clone() with all namespaces at once; the child joins its cgroup before it
 * can use anything, builds its root, gives up what it has, and executes.  A failure on the way
 * travels as struct err through a pipe that a successful execve() closes.
 */
#include "vmm/vmjail.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_PARK                                                                                    \
	700 /* above VMJAIL_FD_FIRST + VMJAIL_FDS_MAX: nothing is overwritten on the way           \
	     */
#define FILES_MAX 2048 /* above FD_PARK + 100 + VMJAIL_FDS_MAX */
#define TREES_MAX 16

struct child {
	const struct vmjail *j;
	int report; /* write end of the error pipe */
	uid_t caller;
	gid_t caller_gid;
};

/* ---- the root ---- */

struct tree {
	int fd;
	const char *name;
	bool dir;
};

static int tree_add(struct tree *t, size_t *n, const char *source, const char *name, struct err *e)
{
	struct mount_attr attr = {.attr_set =
				      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	struct stat st;
	int fd;

	if (*n == TREES_MAX)
		return err_set(e, ERR_LIMIT, "jail: more than %d files", TREES_MAX);
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, source,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "jail: %s", source);
	/* Linux 5.12.  Before it the tree stays writable for root only, which the child is not. */
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) <
		0 &&
	    errno != ENOSYS)
		return err_sys(e, "jail: %s read-only", source);
	t[(*n)++] = (struct tree){fd, name, S_ISDIR(st.st_mode)};
	return 0;
}

/* The directories a dynamic program is loaded from; on merged-/usr systems the others are links. */
static int tree_system(struct tree *t, size_t *n, struct err *e)
{
	static const char *const dirs[] = {"usr", "lib", "lib64", "nix"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char path[16];
		struct stat st;
		int r;

		snprintf(path, sizeof(path), "/%s", dirs[i]);
		if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		r = tree_add(t, n, path, dirs[i], e);
		if (r < 0)
			return r;
	}
	if (access("/etc/ld.so.cache", R_OK) == 0)
		return tree_add(t, n, "/etc/ld.so.cache", "etc/ld.so.cache", e);
	return 0;
}

static int link_copy(const char *name, struct err *e)
{
	char from[32], to[256];
	ssize_t n;

	snprintf(from, sizeof(from), "/%s", name);
	n = readlink(from, to, sizeof(to) - 1);
	if (n < 0)
		return 0; /* a directory, bound above, or not there */
	to[n] = '\0';
	if (symlink(to, name) < 0)
		return err_sys(e, "jail: link /%s", name);
	return 0;
}

/* A device node of our own, so that its owner can be the jailed user whatever the host's node
 * allows; in a user namespace, where nodes cannot be made, the host's own. */
static int node(const char *name, unsigned int major_, unsigned int minor_, uid_t uid,
		struct err *e)
{
	char inside[32], host[32];
	auto_fd int fd = -1;

	snprintf(inside, sizeof(inside), "dev/%s", name);
	snprintf(host, sizeof(host), "/dev/%s", name);
	if (mknod(inside, S_IFCHR | 0600, makedev(major_, minor_)) == 0) {
		if (chown(inside, uid, uid) < 0)
			return err_sys(e, "jail: /dev/%s", name);
		return 0;
	}
	if (errno != EPERM)
		return err_sys(e, "jail: /dev/%s", name);
	fd = open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "jail: /dev/%s", name);
	return 0;
}

static int tree_place(const struct tree *t, struct err *e)
{
	if (t->dir ? mkdir(t->name, 0755) : mknod(t->name, S_IFREG | 0444, 0))
		if (errno != EEXIST)
			return err_sys(e, "jail: /%s", t->name);
	if (syscall(SYS_move_mount, t->fd, "", AT_FDCWD, t->name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "jail: mount /%s", t->name);
	close(t->fd);
	return 0;
}

static int devices(const struct vmjail *j, uid_t uid, struct err *e)
{
	int r = node("null", 1, 3, uid, e);

	if (r == 0)
		r = node("urandom", 1, 9, uid, e);
	if (r == 0 && j->kvm)
		r = node("kvm", 10, 232, uid, e);
	return r;
}

/* The empty stand-ins that node() left in a user namespace. */
static int tree_devices(const struct vmjail *j, struct tree *t, size_t *n, struct err *e)
{
	int r = tree_add(t, n, "/dev/null", "dev/null", e);

	if (r == 0)
		r = tree_add(t, n, "/dev/urandom", "dev/urandom", e);
	if (r == 0 && j->kvm)
		r = tree_add(t, n, "/dev/kvm", "dev/kvm", e);
	return r;
}

/* A small tmpfs as root, the trees moved in, the old root gone.  Sources are opened before anything
 * is covered, because the tmpfs has to go somewhere: /proc, which exists everywhere. */
static int build_root(const struct vmjail *j, uid_t uid, bool userns, struct err *e)
{
	struct tree t[TREES_MAX];
	size_t n = 0;
	int r = tree_system(t, &n, e);

	for (size_t i = 0; r == 0 && i < j->bind_count; i++)
		r = tree_add(t, &n, j->binds[i].source, j->binds[i].name, e);
	if (r == 0 && (userns || userns_inside()))
		r = tree_devices(j, t, &n, e);
	if (r < 0)
		return r;
	if (mount("jail", "/proc", "tmpfs", MS_NOSUID | MS_NOEXEC,
		  "size=64k,nr_inodes=64,mode=755"))
		return err_sys(e, "jail: tmpfs");
	if (chdir("/proc") < 0 || mkdir("dev", 0755) < 0 || mkdir("etc", 0755) < 0)
		return err_sys(e, "jail: directories");
	r = devices(j, uid, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = tree_place(&t[i], e);
	if (r == 0)
		r = link_copy("lib", e);
	if (r == 0)
		r = link_copy("lib64", e);
	if (r < 0)
		return r;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(e, "jail: pivot_root");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL))
		return err_sys(e, "jail: read-only root");
	return 0;
}

/* ---- the child ---- */

static int limits(struct err *e)
{
	const struct rlimit none = {0, 0};
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(e, "jail: limits");
	if (files.rlim_max > FILES_MAX)
		files.rlim_max = FILES_MAX;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(e, "jail: limits");
	return 0;
}

static int place_fds(const struct child *c, int *report, struct err *e)
{
	const struct vmjail *j = c->j;
	int null, text = j->text_fd;

	*report = fcntl(c->report, F_DUPFD_CLOEXEC, FD_PARK);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (*report < 0 || null < 0)
		return err_sys(e, "jail: descriptors");
	/* Two passes: park all above, then bring each down, since a target may be a source. */
	for (size_t i = 0; i < j->fd_count; i++)
		if (dup3(j->fds[i], FD_PARK + 100 + (int)i, O_CLOEXEC) < 0)
			return err_sys(e, "jail: descriptor %zu", i);
	if (dup3(text < 0 ? null : text, FD_PARK + 99, O_CLOEXEC) < 0 || dup2(null, 0) < 0 ||
	    dup2(FD_PARK + 99, 1) < 0 || dup2(FD_PARK + 99, 2) < 0)
		return err_sys(e, "jail: standard descriptors");
	for (size_t i = 0; i < j->fd_count; i++)
		if (dup2(FD_PARK + 100 + (int)i, VMJAIL_FD_FIRST + (int)i) < 0)
			return err_sys(e, "jail: descriptor %zu", i);
	if (fd_cloexec_from(VMJAIL_FD_FIRST + (int)j->fd_count) < 0)
		return err_sys(e, "jail: close the rest");
	return 0;
}

static int map_self(uid_t uid, gid_t gid, struct err *e)
{
	char line[64];
	int r = file_put(AT_FDCWD, "/proc/self/setgroups", "deny");

	if (r == 0) {
		snprintf(line, sizeof(line), "0 %u 1", (unsigned int)uid);
		r = file_put(AT_FDCWD, "/proc/self/uid_map", line);
	}
	if (r == 0) {
		snprintf(line, sizeof(line), "0 %u 1", (unsigned int)gid);
		r = file_put(AT_FDCWD, "/proc/self/gid_map", line);
	}
	if (r < 0) {
		errno = -r;
		return err_sys(e, "jail: user namespace");
	}
	return 0;
}

/* In a user namespace that maps less than the chosen user: its "nobody". */
static uid_t allowed_uid(uid_t want)
{
	return userns_has_uid(want) ? want : 65534;
}

/* In an ordinary user's engine /dev/kvm is the host's own node, which the user may open as a member
 * of its group: that membership stays.  Where there is one id only, there is nobody else to be. */
static int change_user(const struct vmjail *j, uid_t uid)
{
	bool inside = userns_inside();

	if (inside && !userns_has_uid(uid))
		return 0;
	if (!(inside && j->kvm) && syscall(SYS_setgroups, 0, NULL) < 0)
		return -errno;
	if (syscall(SYS_setresgid, uid, uid, uid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0)
		return -errno;
	return 0;
}

static int drop_bounding(struct err *e)
{
	for (int cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return err_sys(e, "jail: capability bounding set");
	return 0;
}

/* A user namespace without ids: where the kernel lets an unprivileged user have one, to whatever it
 * may still reach it is nobody.  Elsewhere the rest has to do.  A new one begins with all
 * capabilities in it. */
static int own_userns(struct err *e)
{
	if (unshare(CLONE_NEWUSER) == 0)
		return drop_bounding(e);
	if (errno == EPERM || errno == ENOSPC || errno == EUSERS || errno == EINVAL)
		return 0;
	return err_sys(e, "jail: user namespace");
}

static int drop(const struct vmjail *j, uid_t uid, bool userns, struct err *e)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	int r = drop_bounding(e);

	if (r < 0)
		return r;
	if (!userns && change_user(j, uid) < 0)
		return err_sys(e, "jail: become user %u", (unsigned int)uid);
	r = userns ? 0 : own_userns(e);
	if (r < 0)
		return r;
	if (syscall(SYS_capset, &h, none) < 0)
		return err_sys(e, "jail: drop capabilities");
	return 0;
}

static int child_prepare(const struct child *c, int *report, struct err *e)
{
	const struct vmjail *j = c->j;
	bool userns = c->caller != 0;
	uid_t uid = userns ? 0 : allowed_uid(j->uid);
	int r = limits(e);
	struct pollfd gone = {0};

	if (r == 0)
		r = place_fds(c, report, e);
	gone.fd = *report;
	if (r == 0 && userns)
		r = map_self(c->caller, c->caller_gid, e);
	if (r < 0)
		return r;
	/* Slave, not private: what the host unmounts goes here as well and is not kept busy. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(e, "jail: mount namespace");
	if (j->setup)
		r = j->setup(j->setup_arg, e);
	else
		r = build_root(j, uid, userns, e);
	if (r == 0 && !j->setup)
		r = drop(j, uid, userns, e);
	if (r == 0 && !j->setup && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_sys(e, "jail: no_new_privs");
	/* After the change of user, which clears it. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = err_sys(e, "jail: parent death signal");
	/* A caller that died before that line sends no signal, but it no longer reads either. */
	if (r == 0 && poll(&gone, 1, 0) == 1)
		_exit(127);
	return r;
}

static _Noreturn void child_run(const struct child *c)
{
	struct err e = ERR_INIT;
	sigset_t none;
	int report = c->report;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if ((!c->j->admit || c->j->admit(getpid(), c->j->admit_arg, &e) >= 0) &&
	    child_prepare(c, &report, &e) == 0) {
		union {
			const char **in;
			char **out;
		} argv = {.in = c->j->argv->v}, env = {.in = (const char *[]){c->j->env, NULL}};

		execve(c->j->program, argv.out, env.out);
		err_sys(&e, "execute %s", c->j->program);
	}
	fd_write_all(report, &e, sizeof(e));
	_exit(127);
}

/* ---- the caller ---- */

static void abandon(pid_t pid, int *pidfd)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	fd_close(*pidfd);
	*pidfd = -1;
}

int vmjail_spawn(const struct vmjail *j, pid_t *pid, int *pidfd, struct err *e)
{
	int report[2], child_pidfd = -1, r = 0;
	struct child c = {.j = j, .caller = geteuid(), .caller_gid = getegid()};
	struct err said;
	long flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID |
		     CLONE_PIDFD | SIGCHLD;
	pid_t p;

	if (j->fd_count > VMJAIL_FDS_MAX)
		return err_set(e, ERR_LIMIT, "jail: %zu descriptors, at most %d", j->fd_count,
			       VMJAIL_FDS_MAX);
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	if (c.caller != 0)
		flags |= CLONE_NEWUSER;
	c.report = report[1];
	/* The kernel's order of arguments on x86-64: flags, stack, parent_tid (the pidfd). */
	p = (pid_t)syscall(SYS_clone, flags, NULL, &child_pidfd, NULL, NULL);
	if (p == 0) {
		close(report[0]);
		child_run(&c);
	}
	if (p < 0)
		r = err_sys(e, "start %s: clone", j->program);
	close(report[1]);
	if (r == 0 && fd_read_full(report[0], &said, sizeof(said)) == (ssize_t)sizeof(said)) {
		said.msg[sizeof(said.msg) - 1] = '\0';
		r = err_set(e, said.kind < ERR_KIND_MAX_ ? said.kind : ERR_SYSTEM, "%s", said.msg);
	}
	close(report[0]);
	if (r < 0 && p > 0)
		abandon(p, &child_pidfd);
	if (r < 0)
		return r;
	*pid = p;
	*pidfd = child_pidfd;
	return 0;
}

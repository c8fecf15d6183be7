/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sources.h"
#include "base/auto.h"
#include "base/str.h"
#include "runtime/mounts.h"
#include "runtime/newroot.h"
#include "runtime/runtime_int.h"
#include "sys/fd.h"
#include "sys/mountfd.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int user_namespace(const struct launch *l, struct err *e)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)l->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open '%s'", path) : fd;
}

/* Into the child's mount namespace, where paths mean what they mean to the child. */
static int go_there(struct job *j, const struct launch *l, struct err *e)
{
	const char *bundle = j->opts->bundle ? j->opts->bundle : "/";
	int fd;

	if (setns(l->pidfd, CLONE_NEWNS) < 0)
		return err_sys(e, "join the new mount namespace");
	fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "bundle '%s'", bundle);
	fd_close(j->bundle_fd);
	j->bundle_fd = fd;
	return 0;
}

/* The first thing asked for, and the moment to go: before the child attaches it, since who joins a
 * mount namespace starts at what lies on top of its "/".  An overlay is put together before, in the
 * namespaces of its layers. */
static int open_root(struct job *j, const struct launch *l, int userns, struct err *e)
{
	const struct plan *p = j->plan;
	const bool bind = p->root && p->root->path;
	auto_fd int fd = -1;
	int r;

	if (j->userns && !bind && j->opts->root > 0) {
		fd = fcntl(j->opts->root, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return err_sys(e, "root");
	} else if (j->userns && !bind) {
		fd = newroot_overlay_aside(&p->caisson->rootfs, userns, e);
		if (fd < 0 && fd != -EPERM)
			return fd;
	}
	r = go_there(j, l, e);
	if (r < 0)
		return r;
	if (!j->userns)
		return -ENOTBLK;
	return bind ? newroot_bind(j, e) : take_fd(&fd);
}

/* The /sys of the network namespace that the process is in, and which is not its own. */
static int sysfs_there(const struct launch *l, struct err *e)
{
	int fd;

	if (setns(l->pidfd, CLONE_NEWNET) < 0)
		return err_sys(e, "join the network namespace");
	fd = mountfd_new("sysfs", NULL, 0, 0, NULL, 0);
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "mount sysfs");
	}
	return fd;
}

static bool wants_sysfs(const struct job *j, int which)
{
	const char *type = which < 0 ? NULL : j->plan->mounts.v[which].type;

	return type && streq(type, "sysfs");
}

/* EPERM: not ours to copy; the child will try itself. */
static int answer(struct job *j, const struct launch *l, int which, int userns, struct err *e)
{
	auto_fd int fd = -1;

	if (which != SOURCES_ROOT && (which < 0 || (size_t)which >= j->plan->mounts.n))
		return err_set(e, ERR_SYSTEM, "the new process wants mount %d", which);
	fd = which == SOURCES_ROOT   ? open_root(j, l, userns, e)
	     : wants_sysfs(j, which) ? sysfs_there(l, e)
				     : mounts_source(j, (size_t)which, userns, e);
	if (fd < 0 && fd != -ENOTBLK && fd != -EPERM)
		return fd;
	if (fd < 0) {
		struct err none = ERR_INIT;

		if (e)
			*e = none;
	}
	return handshake_send(j->peer, HANDSHAKE_SOURCE, which, fd < 0 ? -1 : fd, e);
}

static int serve(struct job *j, const struct launch *l, struct err *e)
{
	auto_fd int userns = -1;
	struct handshake h;
	int r;

	if (j->userns) {
		userns = user_namespace(l, e);
		if (userns < 0)
			return userns;
	}
	for (;;) {
		r = handshake_expect(j->peer, HANDSHAKE_WANT, &h, NULL, e);
		if (r < 0 || h.value == SOURCES_END)
			return r;
		r = answer(j, l, h.value, userns, e);
		if (r < 0)
			return r;
	}
}

/* The socket is the helper's while it lives: it reads what the child asks, and perhaps the child's
 * last words, which it hands on to us like its own. */
int sources_serve(struct job *j, const struct launch *l, struct err *e)
{
	auto_fd int ours = -1, its = -1;
	struct handshake h;
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	its = pair[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0) {
		struct err why = ERR_INIT;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (serve(j, l, &why) < 0)
			handshake_fail(its, &why);
		else
			handshake_send(its, HANDSHAKE_SOURCE, SOURCES_END, -1, NULL);
		_exit(0);
	}
	close(take_fd(&its));
	r = handshake_expect(ours, HANDSHAKE_SOURCE, &h, NULL, e);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int sources_want(const struct job *j, int which, struct err *e)
{
	struct handshake h;
	int fd = -1, r = handshake_send(j->sync, HANDSHAKE_WANT, which, -1, e);

	if (r == 0)
		r = handshake_expect(j->sync, HANDSHAKE_SOURCE, &h, &fd, e);
	if (r < 0)
		return r;
	if (h.value != which) {
		fd_close(fd);
		return err_set(e, ERR_SYSTEM, "bind sources came wrong");
	}
	return fd < 0 ? -ENOTBLK : fd;
}

int sources_end(const struct job *j, struct err *e)
{
	return handshake_send(j->sync, HANDSHAKE_WANT, SOURCES_END, -1, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/imageroot.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "spec/plan.h"
#include "spec/wire.h"
#include "store/image.h"
#include "store/rootdriver.h"
#include "store/rootfs.h"
#include "sys/fd.h"
#include "sys/fuseoverlay.h"
#include "sys/mountfd.h"
#include "sys/overlay.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own, which may go where the layers are mounted. */
static int view_here(const struct plan_rootfs *r, struct err *e)
{
	struct overlay_spec o = {
	    .lower = &r->lower, .upper = r->upper, .work = r->work, .options = r->userns_options};
	auto_fd int ns = -1;

	if (r->layer_ns) {
		ns = open(r->layer_ns, O_RDONLY | O_CLOEXEC);
		if (ns < 0 || setns(ns, CLONE_NEWNS) < 0)
			return err_sys(e, "join '%s'", r->layer_ns);
	}
	/* One layer alone is no overlay, and needs none. */
	if (r->lower.n == 1 && !r->upper) {
		int fd = mountfd_clone(AT_FDCWD, r->lower.v[0], false);

		errno = fd < 0 ? -fd : 0;
		return fd < 0 ? err_sys(e, "layer '%s'", r->lower.v[0]) : fd;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "private mount namespace");
	return overlay_private(&o, e);
}

/* What the child sends: the descriptor and nothing, or why there is none. */
static int receive(int sock, struct err *e)
{
	struct err said;
	int fd = -1;
	size_t n = 1;
	ssize_t len = sock_recv_fds(sock, &said, sizeof(said), &fd, &n);
	struct wire_frame f = {.data = (const unsigned char *)&said, .len = (size_t)len};

	if (len == 1 && n == 1)
		return fd;
	if (len == sizeof(said))
		return wire_err(&f, e);
	return err_set(e, ERR_SYSTEM, "no view of the image's root came back");
}

static int view_aside(const struct plan_rootfs *r, struct err *e)
{
	int pair[2], fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	pid = fork();
	if (pid == 0) {
		struct err why = ERR_INIT;

		fd = view_here(r, &why);
		if (fd < 0)
			sock_send_fds(pair[1], &why, sizeof(why), NULL, 0);
		else
			sock_send_fds(pair[1], "", 1, &fd, 1);
		_exit(0);
	}
	close(pair[1]);
	fd = pid < 0 ? err_sys(e, "fork") : receive(pair[0], e);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

static int prepare(struct store *s, const struct strs *layers, struct arena *a,
		   struct plan_rootfs *out, struct err *e)
{
	struct image image = {.record = {.layers = *layers}};

	return rootfs_prepare(s, &image, "view", PLAN_CONTAINER, true, a, out, e);
}

int imageroot_open(struct store *s, const struct strs *layers, struct arena *a, struct err *e)
{
	struct plan_rootfs fs = {0};
	int r = prepare(s, layers, a, &fs, e);

	return r < 0 ? r : view_aside(&fs, e);
}

static int by_fuse(const struct plan_rootfs *fs, struct fuseoverlay *served, struct err *e)
{
	struct overlay_spec dirs = {.lower = &fs->lower, .upper = fs->upper, .work = fs->work};
	struct fuseoverlay_opts o = {.program = fs->fuse, .mount_ns = fs->layer_ns, .dirs = &dirs};
	int r = fuseoverlay_start(&o, served, e);

	if (r == 0)
		r = served->root;
	if (r >= 0)
		served->root = -1;
	return r;
}

int imageroot_writable(struct store *s, const struct strs *layers, const struct imageroot_top *top,
		       struct arena *a, struct err *e)
{
	struct plan_rootfs fs = {0};
	int r = prepare(s, layers, a, &fs, e);

	if (r >= 0)
		r = rootdriver_pick(s, false, a, &fs.fuse, e);
	if (r < 0)
		return r;
	fs.upper = top->upper;
	fs.work = top->work;
	return fs.fuse ? by_fuse(&fs, top->served, e) : view_aside(&fs, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "files/rootview.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/mountfd.h"
#include "sys/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

/* A descriptor that can be read, not only walked. */
static int readable(int fd, struct err *e)
{
	auto_fd int mount = fd;
	int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? err_sys(e, "root of the instance") : dir;
}

int rootview_overlay(const struct rootview_stack *s, struct err *e)
{
	struct mountfd_attr attr = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
				    .userns_fd = -1};
	struct strs lower = {s->lower, s->nlower};
	struct overlay_spec spec = {&lower, s->upper, s->work, s->option};
	int fd, r;

	if (s->layer_ns) {
		auto_fd int ns = open(s->layer_ns, O_RDONLY | O_CLOEXEC);

		if (ns < 0 || setns(ns, CLONE_NEWNS) < 0)
			return err_sys(e, "'%s'", s->layer_ns);
	}
	/* Without an upper directory a single layer is no overlay, but itself. */
	if (!s->upper && s->nlower == 1) {
		fd = open(s->lower[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "'%s'", s->lower[0]) : fd;
	}
	/* Nothing of this shows in anybody's mount table. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "mount namespace");
	fd = overlay_private(&spec, e);
	if (fd < 0)
		return fd;
	r = mountfd_change(fd, &attr);
	errno = r < 0 ? -r : 0;
	if (r < 0 && r != -ENOSYS) {
		close(fd);
		return err_sys(e, "root of the instance");
	}
	return readable(fd, e);
}

int rootview_bare(int mount_ns, struct err *e)
{
	int fd;

	if (setns(mount_ns, CLONE_NEWNS) < 0)
		return err_sys(e, "cannot enter the instance's mounts");
	fd = mountfd_clone(AT_FDCWD, "/", false);
	errno = fd < 0 ? -fd : 0;
	return fd < 0 ? err_sys(e, "root of the instance") : readable(fd, e);
}

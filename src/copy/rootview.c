/* SPDX-License-Identifier: Apache-2.0 */
#include "copy/rootview.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <unistd.h>

/* By descriptor: short, however deep the directories lie. */
static int add(struct arena *a, struct strs *opts, const char *key, const char *path, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "'%s'", path);
	/* Open until the process ends, which is soon. */
	arena_strs_add(a, opts, arena_printf(a, "%s=/proc/self/fd/%d", key, fd));
	return 0;
}

/* A descriptor that can be read, not only walked. */
static int readable(int fd, struct err *e)
{
	auto_fd int mount = fd;
	int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? err_sys(e, "root of the instance") : dir;
}

int rootview_overlay(const struct rootview_stack *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	uint64_t attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	struct strs opts = {0};
	char why[200];
	int r = 0, fd;

	if (s->layer_ns) {
		auto_fd int ns = open(s->layer_ns, O_RDONLY | O_CLOEXEC);

		if (ns < 0 || setns(ns, CLONE_NEWNS) < 0)
			return err_sys(e, "'%s'", s->layer_ns);
	}
	for (size_t i = 0; r >= 0 && i < s->nlower; i++)
		r = add(&a, &opts, "lowerdir+", s->lower[i], e);
	if (r >= 0 && s->upper)
		r = add(&a, &opts, "upperdir", s->upper, e);
	if (r >= 0 && s->upper)
		r = add(&a, &opts, "workdir", s->work, e);
	if (r < 0)
		return r;
	if (s->option)
		arena_strs_add(&a, &opts, s->option);
	/* Without an upper directory a single layer is no overlay, but itself. */
	if (!s->upper && s->nlower == 1) {
		fd = open(s->lower[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "'%s'", s->lower[0]) : fd;
	}
	fd = mountfd_new("overlay", opts.v, opts.n, attr, why, sizeof(why));
	if (fd == -EINVAL)
		return err_set(e, ERR_UNSUPPORTED,
			       "this kernel cannot show the root of an instance that does not run "
			       "(overlay layers by descriptor came with Linux 6.7)%s%s",
			       *why ? ": " : "", why);
	errno = fd < 0 ? -fd : 0;
	return fd < 0 ? err_sys(e, "overlay%s%s", *why ? ": " : "", why) : readable(fd, e);
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

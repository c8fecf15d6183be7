/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files are hidden below the host's null device and directories below one empty, read-only tmpfs;
 * both come from descriptors that the image never had a chance to replace (CVE-2025-31133), and go
 * onto descriptors resolved inside the root.  A path that is not there needs no hiding.
 */
#include "runtime/masks.h"
#include "base/auto.h"
#include "base/str.h"
#include "runtime/devices.h"
#include "runtime/runtime_int.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct covers {
	int null, dir; /* attached mounts of which copies can be made, or -1 */
};

static int fail(int r, const char *what, const char *path, struct err *e)
{
	errno = -r;
	return err_sys(e, "%s '%s'", what, path);
}

/* The first directory gets the tmpfs, the others get copies of its mount: one superblock. */
static int cover_dir(struct covers *c, int target)
{
	static const char *const opts[] = {"mode=0555", "nr_inodes=1"};
	auto_fd int fd = -1;
	int r;

	if (c->dir >= 0) {
		fd = mountfd_clone(c->dir, "", false);
		return fd < 0 ? fd : mountfd_attach(fd, target);
	}
	fd = mountfd_new(
	    "tmpfs", opts, 2,
	    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL, 0);
	if (fd < 0)
		return fd;
	r = mountfd_attach(fd, target);
	if (r == 0)
		c->dir = take_fd(&fd);
	return r;
}

static int cover_file(const struct covers *c, int target)
{
	auto_fd int fd = mountfd_clone(c->null, "", false);

	return fd < 0 ? fd : mountfd_attach(fd, target);
}

static int mask(const struct job *j, struct covers *c, const char *path, struct err *e)
{
	auto_fd int target = path_open(j->root, path, O_PATH, 0, PATH_IN_ROOT);
	struct stat st;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return fail(target, "masked path", path, e);
	if (fstat(target, &st) < 0)
		return err_sys(e, "masked path '%s'", path);
	r = S_ISDIR(st.st_mode) ? cover_dir(c, target) : cover_file(c, target);
	return r < 0 ? fail(r, "mask", path, e) : 0;
}

static int read_only(const struct job *j, const char *path, struct err *e)
{
	struct mountfd_attr ro = {.set = MOUNT_ATTR_RDONLY, .userns_fd = -1, .recursive = true};
	auto_fd int target = path_open(j->root, path, O_PATH, 0, PATH_IN_ROOT), fd = -1;
	char at[PATH_FD_MAX];
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return fail(target, "read-only path", path, e);
	fd = mountfd_clone(target, "", true);
	r = fd < 0 ? fd : mountfd_change(fd, &ro);
	if (fd >= 0 && (r == 0 || r == -ENOSYS)) {
		int changed = r;

		r = mountfd_attach(fd, target);
		/* Linux before 5.12: by mount(2), which does not reach mounts below. */
		if (r == 0 && changed == -ENOSYS &&
		    mount(NULL, path_of_fd(fd, at), NULL,
			  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  NULL) < 0)
			r = -errno;
	}
	return r < 0 ? fail(r, "make read-only", path, e) : 0;
}

/* One cover is enough for a path that is listed twice. */
static bool seen(const struct strs *l, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (streq(l->v[i], l->v[at]))
			return true;
	return false;
}

int masks_apply(struct job *j, struct err *e)
{
	const struct plan_linux *l = j->plan->linux_;
	auto_fd int null = -1, dir = -1;
	struct covers c;
	int r = 0;

	if (l->masked_paths.n) {
		null = devices_null(e);
		if (null < 0)
			return null;
	}
	c = (struct covers){.null = null, .dir = -1};
	for (size_t i = 0; r == 0 && i < l->readonly_paths.n; i++)
		r = read_only(j, l->readonly_paths.v[i], e);
	for (size_t i = 0; r == 0 && i < l->masked_paths.n; i++)
		r = seen(&l->masked_paths, i) ? 0 : mask(j, &c, l->masked_paths.v[i], e);
	dir = c.dir;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/owners.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#define DEPTH_MAX 512 /* one descriptor each */

struct owner {
	uid_t uid;
	gid_t gid;
};

static int give(int fd, const struct stat *st, const struct owner *to)
{
	if (st->st_uid == to->uid && st->st_gid == to->gid)
		return 0;
	return fchownat(fd, "", to->uid, to->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int tree(int dir, const struct owner *to, int depth);

/* What the name means is decided once, here. */
static int one(int dir, const char *name, const struct owner *to, int depth)
{
	auto_fd int fd = path_open(dir, name, O_PATH | O_NOFOLLOW, 0, PATH_NO_LINKS | PATH_NO_XDEV);
	struct stat st;

	if (fd == -EXDEV || fd == -ENOENT)
		return 0; /* another mount, or gone meanwhile */
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		int r = tree(fd, to, depth + 1);

		if (r < 0)
			return r;
	}
	return give(fd, &st, to);
}

/* What is in the directory. */
static int tree(int dir, const struct owner *to, int depth)
{
	int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *de;
	DIR *d;

	if (own < 0)
		return -errno;
	d = depth < DEPTH_MAX ? fdopendir(own) : NULL;
	if (!d) {
		fd_close(own);
		return depth < DEPTH_MAX ? -ENOMEM : -ELOOP;
	}
	while (r == 0 && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = one(own, de->d_name, to, depth);
	closedir(d);
	return r;
}

static int apply(const char *path, const struct owner *to, struct err *e)
{
	auto_fd int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0 && S_ISDIR(st.st_mode))
		r = tree(fd, to, 0);
	if (r == 0)
		r = give(fd, &st, to);
	if (r == -EOPNOTSUPP || r == -ENOSYS)
		return err_set(e, ERR_UNSUPPORTED,
			       "mount '%s': U: its file system keeps no owners of files", path);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "mount '%s': U: change the owner of what is in it", path);
	}
	return 0;
}

int owners_apply(const struct plan_mounts *mounts, const struct plan_user *user, struct err *e)
{
	const struct owner to = {(uid_t)user->uid, (gid_t)user->gid};
	int r = 0;

	for (size_t i = 0; r == 0 && i < mounts->n; i++)
		for (size_t k = 0; r == 0 && k < mounts->v[i].options.n; k++)
			if (streq(mounts->v[i].options.v[k], "chown"))
				r = apply(mounts->v[i].destination, &to, e);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/copyup.h"
#include "base/auto.h"
#include "base/str.h"
#include "sys/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define DEPTH_MAX 256

static int copy_dir(int from, int to, int depth);

static int copy_link(int from, int to, const char *name)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return symlinkat(text, to, name) < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name)
{
	auto_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd int out = -1;
	struct stat st;
	ssize_t n;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EAGAIN; /* it was one when we looked: somebody plays */
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	n = fd_copy(in, out);
	return n < 0 ? (int)n : 0;
}

static int copy_one(int from, int to, const char *name, int depth)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		r = copy_link(from, to, name);
	} else if (S_ISREG(st.st_mode)) {
		r = copy_file(from, to, name);
	} else if (S_ISDIR(st.st_mode)) {
		auto_fd int in =
		    openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		auto_fd int out = -1;

		if (in < 0 || mkdirat(to, name, 0700) < 0)
			return -errno;
		out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = out < 0 ? -errno : copy_dir(in, out, depth + 1);
	} else if (S_ISSOCK(st.st_mode)) {
		return 0; /* nobody listens on a copied socket */
	} else {
		r = mknodat(to, name, st.st_mode, st.st_rdev) < 0 ? -errno : 0;
		if (r == -EPERM)
			return 0; /* devices in a user namespace */
	}
	if (r < 0)
		return r;
	if (fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode) && fchmodat(to, name, st.st_mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

static int copy_dir(int from, int to, int depth)
{
	struct dirent *de;
	int fd, r = 0;
	DIR *d;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	while (r == 0 && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = copy_one(fd, to, de->d_name, depth);
	closedir(d);
	return r;
}

int copyup_tree(int from, int to)
{
	struct stat st;
	int r = copy_dir(from, to, 0);

	if (r < 0)
		return r;
	/* A mount's descriptor is O_PATH, which fchown() does not take. */
	if (fstat(from, &st) < 0 || fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

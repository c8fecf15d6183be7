/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/target.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/procfs.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>

#define LINKS_MAX 40 /* MAXSYMLINKS of the kernel */

static const char *skip(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

static int open_it(int root_fd, const char *path, bool directory)
{
	/* A mount goes over what a link points to, so the link is followed, inside the root. */
	return path_open(root_fd, path, O_PATH | (directory ? O_DIRECTORY : 0), 0, PATH_IN_ROOT);
}

/* Replace the link at dir/name, the end of path[0..used), by what it says; rest follows. */
static int follow(int dir, const char *name, char *path, size_t dir_len, const char *rest)
{
	char to[PATH_MAX], joined[PATH_MAX];
	ssize_t n = readlinkat(dir, name, to, sizeof(to) - 1);
	int len;

	if (n < 0)
		return -errno;
	to[n] = '\0';
	len = *to == '/'
		  ? snprintf(joined, sizeof(joined), "%s%s", to, rest)
		  : snprintf(joined, sizeof(joined), "%.*s/%s%s", (int)dir_len, path, to, rest);
	if (len < 0 || (size_t)len >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(path, joined, (size_t)len + 1);
	return 0;
}

/* Make the first missing component of path.  1: something was made or a link was read, try again.
 */
static int make_next(int root_fd, char *path, bool directory)
{
	size_t at = 0;

	for (;;) {
		char name[NAME_MAX + 1], sofar[PATH_MAX];
		auto_fd int dir = -1, fd = -1;
		size_t dir_len = at, n;
		bool last;
		int r;

		at += strspn(path + at, "/");
		n = strcspn(path + at, "/");
		if (!n)
			return 0;
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path + at, n);
		name[n] = '\0';
		last = !*skip(path + at + n);
		snprintf(sofar, sizeof(sofar), "%.*s", (int)(at + n), path);
		fd = open_it(root_fd, sofar, directory || !last);
		at += n;
		if (fd >= 0)
			continue;
		if (fd != -ENOENT)
			return fd;
		snprintf(sofar, sizeof(sofar), "%.*s", (int)dir_len, path);
		dir = open_it(root_fd, dir_len ? sofar : "/", true);
		if (dir < 0)
			return dir;
		if (directory || !last)
			r = mkdirat(dir, name, 0755);
		else
			r = mknodat(dir, name, S_IFREG | 0644, 0);
		if (r == 0)
			return 1;
		if (errno != EEXIST)
			return -errno;
		r = follow(dir, name, path, dir_len, path + at);
		return r < 0 ? r : 1;
	}
}

int target_open(int root_fd, const char *path, bool directory, bool *made, struct err *e)
{
	char walk[PATH_MAX];
	int fd, r = 1, links = 0;

	if (made)
		*made = false;
	fd = open_it(root_fd, path, directory);
	if (fd >= 0)
		return fd;
	if (strlen(path) >= sizeof(walk))
		return err_set(e, ERR_USAGE, "mount destination is too long");
	snprintf(walk, sizeof(walk), "%s", path);
	/* Each round makes one component or reads one link, so the rounds are bounded by both. */
	while (fd == -ENOENT && r > 0 && links++ < PATH_MAX / 2 + LINKS_MAX) {
		r = make_next(root_fd, walk, directory);
		if (r < 0)
			fd = r;
		else
			fd = open_it(root_fd, path, directory);
	}
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "mount destination '%s'", path);
	}
	if (made)
		*made = true;
	return fd;
}

int target_ordinary(int root_fd, const char *path, const char *type, struct err *e)
{
	int fd = path_open(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
			   PATH_BENEATH | PATH_NO_LINKS);

	if (fd == -ENOENT)
		fd = path_mkdirs(root_fd, path, 0755, PATH_BENEATH | PATH_NO_LINKS);
	if (fd == -ELOOP || fd == -ENOTDIR)
		return err_set(e, ERR_USAGE,
			       "filesystem \"%s\" must be mounted on ordinary directory: '%s'",
			       type, path);
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "mount destination '%s'", path);
	}
	return fd;
}

/* What lxcfs and the like put over files of /proc. */
static bool may_replace(const char *path)
{
	static const char *const allowed[] = {
	    "proc/cpuinfo",
	    "proc/diskstats",
	    "proc/meminfo",
	    "proc/stat",
	    "proc/swaps",
	    "proc/uptime",
	    "proc/loadavg",
	    "proc/slabinfo",
	    "proc/sys/kernel/ns_last_pid",
	    "proc/net/dev",
	    "proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (streq(skip(path), allowed[i]))
			return true;
	return false;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int target_check(int root_fd, int target, const char *path, const char *type, int source_fd,
		 struct err *e)
{
	auto_fd int proc = -1;
	bool is_proc;

	if (same_file(target, root_fd))
		return err_set(e, ERR_USAGE, "mount destination '%s' is the root itself", path);
	if (mountfd_magic(target) == PROC_SUPER_MAGIC && procfs_check(target) < 0) {
		if (source_fd >= 0 && may_replace(path))
			return 0;
		return err_set(e, ERR_DENIED, "\"%s\" cannot be mounted because it is inside /proc",
			       path);
	}
	/* The directory /proc itself takes a procfs and nothing else. */
	proc = path_open(root_fd, "proc", O_PATH, 0, PATH_IN_ROOT);
	if (proc < 0 || !same_file(proc, target))
		return 0;
	is_proc = streq(type, "proc") || (source_fd >= 0 && procfs_check(source_fd) == 0);
	if (!is_proc)
		return err_set(e, ERR_DENIED,
			       "\"%s\" cannot be mounted because it is not of type proc", path);
	return 0;
}

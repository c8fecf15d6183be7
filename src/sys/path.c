/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/path.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int path_open(int root_fd, const char *path, int flags, mode_t mode, unsigned int how)
{
	struct open_how h = {
	    .flags = (uint64_t)(flags | O_CLOEXEC),
	    .mode = flags & O_CREAT ? mode : 0,
	    .resolve = RESOLVE_NO_MAGICLINKS,
	};

	h.resolve |= how & PATH_IN_ROOT ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
	if (how & PATH_NO_LINKS)
		h.resolve |= RESOLVE_NO_SYMLINKS;
	if (how & PATH_NO_XDEV)
		h.resolve |= RESOLVE_NO_XDEV;
	if (!(how & PATH_IN_ROOT))
		while (*path == '/')
			path++;
	for (int tries = 0; tries < 64; tries++) {
		long fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &h, sizeof(h));

		/* EAGAIN: a rename raced with the walk of "..", which the kernel refuses to guess.
		 */
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd < 0 ? -errno : (int)fd;
	}
	return -EAGAIN;
}

/* One component, "name" without slashes, opened below dir; made if it is missing. */
static int step(int root_fd, const char *sofar, int dir, const char *name, mode_t mode,
		unsigned int how)
{
	int fd;

	fd = path_open(root_fd, sofar, O_PATH | O_DIRECTORY, 0, how);
	if (fd != -ENOENT || !mode)
		return fd;
	if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
		return -errno;
	/* Open what we made by its name only: should it have become a link meanwhile, refuse it. */
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_mkdirs(int root_fd, const char *path, mode_t mode, unsigned int how)
{
	char sofar[PATH_MAX], name[NAME_MAX + 1];
	auto_fd int dir = path_open(root_fd, ".", O_PATH | O_DIRECTORY, 0, how);
	size_t used = 0;

	if (dir < 0)
		return dir;
	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");
		int next;

		if (n > NAME_MAX || used + n + 2 > sizeof(sofar))
			return -ENAMETOOLONG;
		memcpy(name, path, n);
		name[n] = '\0';
		used += (size_t)snprintf(sofar + used, sizeof(sofar) - used, "%s%s",
					 used ? "/" : "", name);
		next = step(root_fd, sofar, dir, name, mode, how);
		if (next < 0)
			return next;
		close(dir);
		dir = next;
		path += n;
	}
	return take_fd(&dir);
}

int path_parent(int root_fd, const char *path, mode_t mode, unsigned int how, const char **base)
{
	char dir[PATH_MAX];
	const char *slash;
	size_t n;
	int fd;

	n = strlen(path);
	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	slash = strrchr(path, '/');
	n = slash ? (size_t)(slash - path) : 0;
	memcpy(dir, path, n);
	dir[n] = '\0';
	fd = path_mkdirs(root_fd, dir, mode, how);
	if (fd < 0)
		return fd;
	*base = slash ? slash + 1 : path;
	if (!**base || streq(*base, ".") || streq(*base, "..")) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

/* Deeper than this a directory is moved up instead of entered: a workload nests with mkdir and
 * chdir in a loop, deeper than we may hold descriptors. */
#define REMOVE_DEPTH 64

struct remove_walk {
	int top_fd;	/* the directory that is being removed */
	unsigned moved; /* how many deep directories were moved into it */
};

static int remove_entries(struct remove_walk *w, int fd, int depth);

static int remove_dir(struct remove_walk *w, int dir_fd, const char *name, int depth)
{
	char up[64];
	int fd, r;

	/* The kernel sees a mount point here even when both sides are the same file system. */
	fd = path_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
		       PATH_NO_LINKS | PATH_NO_XDEV);
	if (fd < 0)
		return fd;
	if (depth > REMOVE_DEPTH && w) {
		close(fd);
		snprintf(up, sizeof(up), ".caisson-remove-%u", w->moved++);
		return renameat(dir_fd, name, w->top_fd, up) < 0 ? -errno : 0;
	}
	r = remove_entries(w, fd, depth);
	if (r < 0)
		return r;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Empty the directory; fd is closed. */
static int remove_entries(struct remove_walk *w, int fd, int depth)
{
	struct remove_walk own = {.top_fd = fd};
	struct dirent *de;
	unsigned before;
	DIR *d = fdopendir(fd);
	int r = 0;

	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	if (!w)
		w = &own;
	do {
		before = w->moved;
		rewinddir(d);
		while (r >= 0 && (de = readdir(d))) {
			if (streq(de->d_name, ".") || streq(de->d_name, ".."))
				continue;
			r = unlinkat(fd, de->d_name, 0) == 0 ? 0 : -errno;
			if (r == -EISDIR || (r == -EPERM && de->d_type == DT_DIR))
				r = remove_dir(w, fd, de->d_name, depth + 1);
			if (r == -ENOENT)
				r = 0;
		}
		/* What was moved up while the top was being read may have come too late for it. */
	} while (r >= 0 && w == &own && w->moved != before);
	closedir(d);
	return r;
}

int path_remove(int dir_fd, const char *name)
{
	auto_fd int parent = -1;
	char dir[PATH_MAX];
	struct stat st;
	const char *slash = strrchr(name, '/');
	int r;

	/* The way to the name is the caller's; from the name on, the walk is watched. */
	if (slash && slash[1]) {
		if (snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name + 1), name) >=
		    (int)sizeof(dir))
			return -ENAMETOOLONG;
		parent = openat(dir_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0)
			return errno == ENOENT ? 0 : -errno;
		dir_fd = parent;
		name = slash + 1;
	}
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	r = remove_dir(NULL, dir_fd, name, 0);
	return r == -ENOENT ? 0 : r;
}

const char *path_of_fd(int fd, char *buf)
{
	snprintf(buf, PATH_FD_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

int path_names(int dir_fd, struct arena *a, struct strs *out)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (!d) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return -err;
	}
	for (errno = 0; (de = readdir(d)); errno = 0)
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			arena_strs_add(a, out, arena_dup(a, de->d_name));
	err = errno;
	closedir(d);
	arena_strs_sort(out);
	return -err;
}

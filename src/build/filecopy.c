/* SPDX-License-Identifier: Apache-2.0 */
#include "build/filecopy.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "build/filefind.h"
#include "fmt/limits.h"
#include "sys/fd.h"
#include "sys/inodes.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK (256 << 10)

struct writer {
	const struct filefind_root *r;
	int root_fd;
	struct arena a;
	char *chunk;
	/* The directory that was written to last stays open: files come in its order. */
	const char *parent;
	int parent_fd;
	struct inodes links;
	struct filefind_reader reader;
	struct filefind_item **dirs; /* made here: their times are set at the end */
	size_t n_dirs;
	struct err *e;
};

static int cannot(const struct writer *w, const char *path)
{
	return err_sys(w->e, "write '%s'", path);
}

/* The directory that holds path, made with all above it if need be. */
static int open_parent(struct writer *w, const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash ? arena_dupn(&w->a, path, (size_t)(slash - path)) : "";
	int fd;

	*base = slash ? slash + 1 : path;
	if (w->parent_fd >= 0 && streq(dir, w->parent))
		return w->parent_fd;
	fd = path_mkdirs(w->root_fd, *dir ? dir : ".", 0755, PATH_IN_ROOT);
	if (fd < 0) {
		errno = -fd;
		return cannot(w, dir);
	}
	if (w->parent_fd >= 0)
		close(w->parent_fd);
	w->parent_fd = fd;
	w->parent = dir;
	return fd;
}

static int put_times(int fd, const char *base, const struct stat *st)
{
	struct timespec t[2] = {st->st_mtim, st->st_mtim};

	return base ? utimensat(fd, base, t, AT_SYMLINK_NOFOLLOW) : futimens(fd, t);
}

static int put_xattr(void *ctx, const char *name, const void *v, size_t n)
{
	/* A file system without user attributes takes the file all the same. */
	if (fsetxattr(*(int *)ctx, name, v, n, 0) < 0 && errno != ENOTSUP && errno != EPERM)
		return -errno;
	return 0;
}

static int copy_bytes(struct writer *w, int from, int to, const struct filefind_item *it)
{
	uint64_t left = (uint64_t)it->st.st_size;

	while (left) {
		ssize_t n = read(from, w->chunk, left < CHUNK ? (size_t)left : CHUNK);

		if (n < 0)
			return err_sys(w->e, "copy '%s'", it->from);
		/* No copy_file_range(): into an overlay it is refused for every single file. */
		errno = n > 0 ? -fd_write_all(to, w->chunk, (size_t)n) : 0;
		if (errno)
			return cannot(w, it->to);
		if (n == 0)
			return filefind_changed(w->r, it, w->e);
		left -= (uint64_t)n;
	}
	return 0;
}

static int put_file(struct writer *w, const struct filefind_item *it, const char *path)
{
	const char *base;
	int dir = open_parent(w, path, &base);
	auto_fd int from = dir < 0 ? -1 : filefind_read(&w->reader, w->r, it, w->e);
	auto_fd int to = -1;
	int r;

	if (dir < 0 || from < 0)
		return dir < 0 ? dir : from;
	to = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return cannot(w, path);
	r = copy_bytes(w, from, to, it);
	if (r < 0)
		return r;
	/* Owner before mode and attributes: chown takes setuid and capabilities away. */
	if (fchown(to, it->st.st_uid, it->st.st_gid) < 0 ||
	    fchmod(to, it->st.st_mode & 07777) < 0 ||
	    filefind_each_xattr(from, w->r->owners, put_xattr, &to) < 0 ||
	    put_times(to, NULL, &it->st) < 0)
		return cannot(w, path);
	return 0;
}

/* The second name of a file that was copied before becomes a link to the first. */
static int put_linked(struct writer *w, const struct filefind_item *it, const char *path)
{
	const char *before = inodes_before(&w->links, &it->st, path), *base, *name;
	auto_fd int first = -1;
	int dir;

	if (!before)
		return put_file(w, it, path);
	dir = open_parent(w, path, &base);
	if (dir < 0)
		return dir;
	first = path_parent(w->root_fd, before, 0, PATH_IN_ROOT, &name);
	return first < 0 || linkat(first, name, dir, base, 0) < 0 ? cannot(w, path) : 0;
}

static int put_other(struct writer *w, const struct filefind_item *it, const char *path)
{
	char target[LIMIT_LINK + 2];
	const char *base;
	int dir = open_parent(w, path, &base), r = 0;

	if (dir < 0)
		return dir;
	if (S_ISLNK(it->st.st_mode))
		r = (int)filefind_link(w->r, it, target, sizeof(target), w->e);
	if (r < 0)
		return r;
	if (S_ISLNK(it->st.st_mode) ? symlinkat(target, dir, base) < 0
				    : mknodat(dir, base, it->st.st_mode, it->st.st_rdev) < 0)
		return cannot(w, path);
	if (fchownat(dir, base, it->st.st_uid, it->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(it->st.st_mode) && fchmodat(dir, base, it->st.st_mode & 07777, 0) < 0) ||
	    put_times(dir, base, &it->st) < 0)
		return cannot(w, path);
	return 0;
}

/* Of an image's directory they belong to it; a context's are its host's. */
static int put_dir_xattrs(struct writer *w, const struct filefind_item *it, int fd)
{
	auto_fd int from = path_open(w->r->fd, *it->from ? it->from : ".", O_RDONLY | O_DIRECTORY,
				     0, PATH_IN_ROOT);

	if (from < 0 || filefind_each_xattr(from, true, put_xattr, &fd) < 0)
		return cannot(w, it->to);
	return 0;
}

static int put_dir(struct writer *w, struct filefind_item *it, const char *path)
{
	auto_fd int made = path_mkdirs(w->root_fd, *path ? path : ".", 0755, PATH_IN_ROOT);
	auto_fd int fd = -1;

	errno = made < 0 ? -made : 0;
	if (made < 0)
		return cannot(w, path);
	fd = openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchown(fd, it->st.st_uid, it->st.st_gid) < 0 ||
	    fchmod(fd, it->st.st_mode & 07777) < 0)
		return cannot(w, path);
	w->dirs[w->n_dirs++] = it;
	return w->r->owners ? put_dir_xattrs(w, it, fd) : 0;
}

static int put(struct writer *w, struct filefind_item *it)
{
	if (S_ISDIR(it->st.st_mode))
		return put_dir(w, it, it->to);
	if (S_ISREG(it->st.st_mode))
		return put_linked(w, it, it->to);
	return put_other(w, it, it->to);
}

int filecopy_write(const struct filefind_root *r, const struct filefind_list *l, int dir_fd,
		   struct err *e)
{
	struct writer w = {.r = r,
			   .root_fd = dir_fd,
			   .a = ARENA_INIT,
			   .chunk = malloc(CHUNK),
			   .parent_fd = -1,
			   .reader = FILEFIND_READER_INIT,
			   .e = e};
	int ret = 0;

	if (!w.chunk)
		abort();
	w.dirs = arena_array(&w.a, l->n + 1, sizeof(struct filefind_item *));
	for (size_t i = 0; ret >= 0 && i < l->n; i++)
		ret = put(&w, &l->v[i]);
	/* Innermost first: each change of one below has gone before. */
	while (ret >= 0 && w.n_dirs) {
		const struct filefind_item *it = w.dirs[--w.n_dirs];
		const char *path = it->to;
		auto_fd int fd = path_open(w.root_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0,
					   PATH_IN_ROOT);

		if (fd < 0 || put_times(fd, NULL, &it->st) < 0)
			ret = cannot(&w, path);
	}
	if (w.parent_fd >= 0)
		close(w.parent_fd);
	filefind_reader_done(&w.reader);
	free(w.chunk);
	inodes_free(&w.links);
	arena_free(&w.a);
	return ret;
}

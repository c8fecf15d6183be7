/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk holds one open directory however deep the tree is (a workload can make it deeper than we
 * may open files): the names of a level's directories are kept, and ".." leads back, which is
 * believed only when it leads to the directory we came from.
 */
#include "sys/du.h"
#include "base/auto.h"
#include "sys/inodes.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

struct level {
	struct level *up;
	ino_t ino;
	char **names;
	size_t n, cap;
};

struct walk {
	dev_t dev;
	uint64_t blocks;
	struct inodes seen;
	int err;
};

static void count(struct walk *w, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || !inodes_before(&w->seen, st, ""))
		w->blocks += (uint64_t)st->st_blocks;
}

static void remember(struct level *l, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->names = reallocarray(l->names, l->cap, sizeof(*l->names));
		if (!l->names)
			abort();
	}
	l->names[l->n] = strdup(name);
	if (!l->names[l->n++])
		abort();
}

static void note(struct walk *w, int err)
{
	if (err != ENOENT && !w->err)
		w->err = -err;
}

/* Count what is in this directory; its directories wait in l. */
static void list(struct walk *w, struct level *l, int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (!d)
		note(w, errno);
	while (d && (de = readdir(d))) {
		struct stat st;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
			note(w, errno);
			continue;
		}
		if (st.st_dev != w->dev)
			continue;
		if (S_ISDIR(st.st_mode))
			remember(l, de->d_name);
		else
			count(w, &st);
	}
	if (d)
		closedir(d);
	else if (copy >= 0)
		close(copy);
}

static struct level *enter(struct walk *w, struct level *up, int fd)
{
	struct level *l = calloc(1, sizeof(*l));
	struct stat st;

	if (!l)
		abort();
	l->up = up;
	if (fstat(fd, &st) < 0) {
		note(w, errno);
		return l;
	}
	l->ino = st.st_ino;
	if (st.st_dev != w->dev)
		return l;
	count(w, &st);
	list(w, l, fd);
	return l;
}

static struct level *leave(struct level *l)
{
	struct level *up = l->up;

	while (l->n)
		free(l->names[--l->n]);
	free(l->names);
	free(l);
	return up;
}

/* Back to the directory of l, or false when somebody moved the one we are in. */
static bool climb(int *fd, const struct level *l)
{
	int up = openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (up < 0)
		return false;
	close(*fd);
	*fd = up;
	return fstat(up, &st) == 0 && st.st_ino == l->ino;
}

static void tree(struct walk *w, int fd)
{
	struct level *l = enter(w, NULL, fd);

	while (l) {
		if (l->n) {
			char *name = l->names[--l->n];
			int down =
			    openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			free(name);
			if (down < 0) {
				note(w, errno);
				continue;
			}
			close(fd);
			fd = down;
			l = enter(w, l, fd);
			continue;
		}
		l = leave(l);
		if (l && !climb(&fd, l))
			while (l)
				l = leave(l);
	}
	close(fd);
}

int du_add(int dir_fd, const char *name, uint64_t *bytes)
{
	struct walk w = {0};
	struct stat st;
	int fd;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode)) {
		*bytes += (uint64_t)st.st_blocks * 512;
		return 0;
	}
	w.dev = st.st_dev;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	tree(&w, fd);
	inodes_free(&w.seen);
	*bytes += w.blocks * 512;
	return w.err;
}

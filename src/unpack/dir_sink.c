/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/dir_sink.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "unpack/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define STAGE ".wh..wh.stage"

struct dir_sink {
	int root, stage;
	uint64_t staged; /* numbers given out */
	int fd;		 /* the file that has begun */
	struct tree_inode *in;
	const char *opaque_xattr;
	struct dir_sink_stats stats;
};

struct number {
	char s[24];
};

static struct number number(uint64_t n)
{
	struct number out;

	snprintf(out.s, sizeof(out.s), "%llu", (unsigned long long)n);
	return out;
}

static int empty_check(int fd, struct err *e)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;
	bool empty = true;

	if (!d)
		return err_sys(e, "output directory");
	while ((de = readdir(d)))
		empty = empty && (streq(de->d_name, ".") || streq(de->d_name, ".."));
	closedir(d);
	return empty ? 0 : err_set(e, ERR_USAGE, "the output directory is not empty");
}

int dir_sink_new(int dir_fd, struct dir_sink **out, struct err *e)
{
	struct dir_sink *s;
	int stage, r = empty_check(dir_fd, e);

	if (r < 0)
		return r;
	umask(0);
	if (mkdirat(dir_fd, STAGE, 0700) < 0)
		return err_sys(e, "output directory");
	stage = openat(dir_fd, STAGE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (stage < 0)
		return err_sys(e, "output directory");
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->root = dir_fd;
	s->stage = stage;
	s->fd = -1;
	*out = s;
	return 0;
}

void dir_sink_free(struct dir_sink *s)
{
	if (!s)
		return;
	auto_release_fd(&s->fd);
	auto_release_fd(&s->stage);
	free(s);
}

static void times(const struct tree_inode *in, struct timespec ts[2])
{
	ts[0] = ts[1] = (struct timespec){.tv_sec = in->mtime, .tv_nsec = in->mtime_nsec};
}

static int chown_failed(const struct tree_inode *in, struct err *e)
{
	/* EINVAL: not in this user namespace's map.  Never ignored: the file would belong to
	 * somebody else than the image says. */
	if (errno == EINVAL || errno == EPERM)
		return err_set(e, ERR_DENIED, "owner %u:%u cannot be set here (not mapped?)",
			       in->uid, in->gid);
	return err_sys(e, "set the owner");
}

/* Attributes by descriptor.  The order counts: chown clears set-id bits and capabilities. */
static int set_by_fd(struct dir_sink *s, int fd, const struct tree_inode *in, struct err *e)
{
	struct timespec ts[2];

	if (fchown(fd, in->uid, in->gid) < 0)
		return chown_failed(in, e);
	if (fchmod(fd, in->mode & 07777) < 0)
		return err_sys(e, "set the mode");
	for (const struct tree_xattr *x = in->xattrs; x; x = x->next) {
		if (fsetxattr(fd, x->name, x->value, x->len, 0) == 0)
			continue;
		if (errno != EPERM && errno != EOPNOTSUPP)
			return err_sys(e, "set '%s'", x->name);
		s->stats.dropped_xattrs++;
	}
	times(in, ts);
	return futimens(fd, ts) < 0 ? err_sys(e, "set the time") : 0;
}

/* The same for what cannot be opened: links, devices, fifos.  Attributes need a path, and the only
 * one that nobody can bend is a single name in the current directory. */
static int set_by_name(struct dir_sink *s, int dir, const char *name, const struct tree_inode *in,
		       struct err *e)
{
	struct timespec ts[2];

	if (fchownat(dir, name, in->uid, in->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return chown_failed(in, e);
	if (!S_ISLNK(in->mode) && fchmodat(dir, name, in->mode & 07777, 0) < 0)
		return err_sys(e, "set the mode");
	if (in->xattrs && fchdir(dir) < 0)
		return err_sys(e, "enter the directory");
	for (const struct tree_xattr *x = in->xattrs; x; x = x->next) {
		if (lsetxattr(name, x->name, x->value, x->len, 0) == 0)
			continue;
		if (errno != EPERM && errno != EOPNOTSUPP)
			return err_sys(e, "set '%s'", x->name);
		s->stats.dropped_xattrs++;
	}
	times(in, ts);
	return utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(e, "set the time") : 0;
}

static int file_begin(void *arg, struct tree_inode *in, const struct tarpax_run *runs, size_t nruns,
		      struct err *e)
{
	struct dir_sink *s = arg;

	in->data.block = ++s->staged;
	s->in = in;
	s->fd = openat(s->stage, number(s->staged).s,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return s->fd < 0 ? err_sys(e, "create") : 0;
}

static int file_data(void *arg, const void *p, size_t len, uint64_t off, struct err *e)
{
	struct dir_sink *s = arg;

	s->stats.bytes += len;
	while (len) {
		ssize_t n = pwrite(s->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write");
		p = (const char *)p + n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_end(void *arg, struct err *e)
{
	struct dir_sink *s = arg;
	int r = 0;

	/* A hole at the end is nothing but length. */
	if (ftruncate(s->fd, (off_t)s->in->size) < 0)
		r = err_sys(e, "write");
	if (r >= 0)
		r = set_by_fd(s, s->fd, s->in, e);
	if (close(take_fd(&s->fd)) < 0 && r >= 0)
		r = err_sys(e, "write");
	return r;
}

void dir_sink_ops(struct dir_sink *s, struct sink *out)
{
	*out = (struct sink){file_begin, file_data, file_end, s};
}

/* Make a link, device or fifo.  Returns 1 when it was left out. */
static int make_special(struct dir_sink *s, int dir, const char *name, const struct tree_node *n,
			struct err *e)
{
	const struct tree_inode *in = n->inode;
	int r;

	if (S_ISLNK(in->mode))
		r = symlinkat(in->link, dir, name);
	else
		r = mknodat(dir, name, in->mode & (S_IFMT | 07777), makedev(in->major, in->minor));
	if (r < 0 && errno == EPERM && (S_ISCHR(in->mode) || S_ISBLK(in->mode)) && !n->whiteout) {
		s->stats.dropped_nodes++;
		return 1;
	}
	if (r < 0)
		return err_sys(e, "create");
	return n->whiteout ? 0 : set_by_name(s, dir, name, in, e);
}

/* A non-directory into its place.  What has several names lies in the staging directory and is
 * linked from there; that copy goes with the staging directory. */
static int place(struct dir_sink *s, int dir, const struct tree_node *n, struct err *e)
{
	struct tree_inode *in = n->inode;
	struct number num;
	int r;

	if (!S_ISREG(in->mode) && in->nlink == 1) {
		r = make_special(s, dir, n->name, n, e);
		return r < 0 ? r : 0;
	}
	if (!in->data.block) {
		in->data.block = ++s->staged;
		r = make_special(s, s->stage, number(in->data.block).s, n, e);
		if (r < 0)
			return r;
		in->plan = (uint32_t)r; /* 1: left out, under all its names */
	}
	if (in->plan)
		return 0;
	num = number(in->data.block);
	if (in->nlink == 1)
		r = renameat(s->stage, num.s, dir, n->name);
	else
		r = linkat(s->stage, num.s, dir, n->name, 0);
	return r < 0 ? err_sys(e, "move into place") : 0;
}

static int fill(struct dir_sink *s, struct tree *t, int fd, const struct tree_node *dir,
		struct err *e);

static int fill_child(struct dir_sink *s, struct tree *t, int dir, const struct tree_node *n,
		      struct err *e)
{
	auto_fd int fd = -1;

	if (!S_ISDIR(n->inode->mode))
		return place(s, dir, n, e);
	if (mkdirat(dir, n->name, 0700) < 0)
		return err_sys(e, "create");
	fd = openat(dir, n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open");
	return fill(s, t, fd, n, e);
}

/* Depth is at most LIMIT_DEPTH: the names were checked.  A directory's own attributes come last, or
 * making its children would change its time and its mode could forbid making them. */
static int fill(struct dir_sink *s, struct tree *t, int fd, const struct tree_node *dir,
		struct err *e)
{
	struct tree_node **v = tree_sorted(t, dir);

	for (size_t i = 0; i < dir->nchildren; i++) {
		int r = fill_child(s, t, fd, v[i], e);

		if (r < 0 && !S_ISDIR(v[i]->inode->mode)) {
			char path[PATH_MAX];

			return err_wrap(e, r, "'%.200s'", tree_path(v[i], path, sizeof(path)));
		}
		if (r < 0)
			return r;
	}
	if (dir->opaque && fsetxattr(fd, s->opaque_xattr, "y", 1, 0) < 0)
		return err_sys(e, "set '%s'", s->opaque_xattr);
	return set_by_fd(s, fd, dir->inode, e);
}

static int clear_stage(struct dir_sink *s, struct err *e)
{
	DIR *d = fdopendir(s->stage);
	struct dirent *de;
	int r = 0;

	if (!d)
		return err_sys(e, "staging directory");
	while (r == 0 && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = unlinkat(s->stage, de->d_name, 0);
	if (r == 0)
		r = unlinkat(s->root, STAGE, AT_REMOVEDIR);
	r = r < 0 ? err_sys(e, "staging directory") : 0;
	closedir(d);
	s->stage = -1;
	return r;
}

int dir_sink_finish(struct dir_sink *s, struct tree *t, const char *opaque_xattr,
		    struct dir_sink_stats *stats, struct err *e)
{
	int r;

	s->opaque_xattr = opaque_xattr;
	r = fill(s, t, s->root, &t->root, e);
	if (r >= 0)
		r = clear_stage(s, e);
	if (r < 0)
		return r;
	/* The staging directory came and went: once more, for the time. */
	r = set_by_fd(s, s->root, t->root.inode, e);
	if (r < 0)
		return r;
	*stats = s->stats;
	return syncfs(s->root) < 0 ? err_sys(e, "sync") : 0;
}

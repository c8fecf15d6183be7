/* SPDX-License-Identifier: Apache-2.0 */
#include "store/treecmp.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define PIECE	  (256u << 10)
#define DEPTH_MAX 1024
#define XATTR_MAX 65536

struct cmp {
	char *where;
	size_t size;
	uint64_t *bytes;
	char path[PATH_MAX];
	size_t len;
	int depth;
};

static int differs(struct cmp *c, const char *what)
{
	snprintf(c->where, c->size, "%s: %s", c->len ? c->path : ".", what);
	return 0;
}

static int unreadable(struct cmp *c, struct err *e)
{
	return err_sys(e, "'%s'", c->len ? c->path : ".");
}

static int contents(struct cmp *c, int a, int b, struct err *e)
{
	auto_free char *x = malloc(PIECE);
	auto_free char *y = malloc(PIECE);

	if (!x || !y)
		abort();
	for (;;) {
		ssize_t n = fd_read_full(a, x, PIECE), m = fd_read_full(b, y, PIECE);

		if (n < 0 || m < 0) {
			errno = (int)-(n < 0 ? n : m);
			return unreadable(c, e);
		}
		if (n != m || memcmp(x, y, (size_t)n) != 0)
			return differs(c, "contents");
		*c->bytes += (uint64_t)n;
		if (!n)
			return 1;
	}
}

/* Attributes by a path through /proc: of links and devices too, which cannot be opened. */
static int xattrs(struct cmp *c, int a, int b, const char *name, struct err *e)
{
	char pa[64 + NAME_MAX], pb[64 + NAME_MAX], la[XATTR_MAX], va[XATTR_MAX], vb[XATTR_MAX];
	ssize_t n, m;

	snprintf(pa, sizeof(pa), "/proc/self/fd/%d/%s", a, name);
	snprintf(pb, sizeof(pb), "/proc/self/fd/%d/%s", b, name);
	n = llistxattr(pa, la, sizeof(la));
	m = llistxattr(pb, vb, sizeof(vb));
	if (n < 0 || m < 0)
		return unreadable(c, e);
	if (n != m)
		return differs(c, "extended attributes");
	for (const char *x = la; x < la + n; x += strlen(x) + 1) {
		ssize_t k = lgetxattr(pa, x, va, sizeof(va)), l = lgetxattr(pb, x, vb, sizeof(vb));

		if (k < 0)
			return unreadable(c, e);
		if (k != l || memcmp(va, vb, (size_t)k) != 0)
			return differs(c, "extended attributes");
	}
	return 1;
}

static int links(struct cmp *c, int a, int b, const char *name, struct err *e)
{
	char x[PATH_MAX], y[PATH_MAX];
	ssize_t n = readlinkat(a, name, x, sizeof(x)), m = readlinkat(b, name, y, sizeof(y));

	if (n < 0 || m < 0)
		return unreadable(c, e);
	return n == m && !memcmp(x, y, (size_t)n) ? 1 : differs(c, "target");
}

static int attributes(struct cmp *c, const struct stat *a, const struct stat *b)
{
	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT))
		return differs(c, "type");
	if (a->st_mode != b->st_mode)
		return differs(c, "mode");
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return differs(c, "owner");
	/* A whiteout is made by whoever unpacks, at that time. */
	if (!(S_ISCHR(a->st_mode) && !a->st_rdev) &&
	    (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec))
		return differs(c, "time");
	if (!S_ISDIR(a->st_mode) && a->st_nlink != b->st_nlink)
		return differs(c, "hard links");
	if ((S_ISREG(a->st_mode) || S_ISLNK(a->st_mode)) && a->st_size != b->st_size)
		return differs(c, "size");
	if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
		return differs(c, "device");
	return 1;
}

static int directory(struct cmp *c, int a, int b, struct err *e);

/* What can be opened: files and directories. */
static int opened(struct cmp *c, int a, int b, const char *name, int flags, struct err *e)
{
	auto_fd int x = openat(a, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
	auto_fd int y = openat(b, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);

	if (x < 0 || y < 0)
		return unreadable(c, e);
	return flags & O_DIRECTORY ? directory(c, x, y, e) : contents(c, x, y, e);
}

static int one(struct cmp *c, int a, int b, const char *name, struct err *e)
{
	struct stat x, y;
	int r;

	if (fstatat(a, name, &x, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(b, name, &y, AT_SYMLINK_NOFOLLOW) < 0)
		return unreadable(c, e);
	r = attributes(c, &x, &y);
	if (r > 0)
		r = xattrs(c, a, b, name, e);
	if (r <= 0)
		return r;
	if (S_ISLNK(x.st_mode))
		return links(c, a, b, name, e);
	if (S_ISREG(x.st_mode))
		return opened(c, a, b, name, 0, e);
	return S_ISDIR(x.st_mode) ? opened(c, a, b, name, O_DIRECTORY, e) : 1;
}

static int child(struct cmp *c, int a, int b, const char *name, struct err *e)
{
	size_t before = c->len;
	int n = snprintf(c->path + c->len, sizeof(c->path) - c->len, "%s%s", c->len ? "/" : "",
			 name),
	    r;

	if (n < 0 || (size_t)n >= sizeof(c->path) - c->len)
		return err_set(e, ERR_LIMIT, "a path that is too long");
	c->len += (size_t)n;
	r = one(c, a, b, name, e);
	c->len = before;
	c->path[before] = '\0';
	return r;
}

static int directory(struct cmp *c, int a, int b, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT;
	struct strs x = {0}, y = {0};
	int r = 1;

	if (++c->depth > DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "more than %d directories deep", DEPTH_MAX);
	if (path_names(a, &arena, &x) < 0 || path_names(b, &arena, &y) < 0)
		return unreadable(c, e);
	for (size_t i = 0; r > 0 && i < x.n && i < y.n; i++)
		r = streq(x.v[i], y.v[i]) ? child(c, a, b, x.v[i], e) : differs(c, "names");
	if (r > 0 && x.n != y.n)
		r = differs(c, "names");
	c->depth--;
	return r;
}

int treecmp_run(int a, int b, char *where, size_t size, uint64_t *bytes, struct err *e)
{
	struct cmp c = {.where = where, .size = size, .bytes = bytes};
	struct stat x, y;
	int r;

	if (fstat(a, &x) < 0 || fstat(b, &y) < 0)
		return unreadable(&c, e);
	r = attributes(&c, &x, &y);
	if (r > 0)
		r = xattrs(&c, a, b, "", e);
	return r > 0 ? directory(&c, a, b, e) : r;
}

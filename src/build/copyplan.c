/* SPDX-License-Identifier: Apache-2.0 */
#include "build/copyplan.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/cleanpath.h"
#include "fmt/limits.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory of the destination, by the name that sources use and by the one it really has. */
struct copyplan_dir {
	struct copyplan_dir *up; /* NULL: the root */
	const char *path, *real;
	bool there;
};

/* ---- looking at the root ---- */

static ssize_t fd_path(int fd, char *path, size_t size, struct err *e)
{
	char name[PATH_FD_MAX];
	ssize_t n = readlink(path_of_fd(fd, name), path, size - 1);

	if (n < 0)
		return err_sys(e, "'%s'", name);
	path[n] = 0;
	return n;
}

/* Where a link of the root leads: the path of what it names, from the root on.  The root itself is
 * "/" where it is a mount of its own. */
static int real_path(const struct copyplan *p, int fd, const char **out, struct err *e)
{
	char root[PATH_MAX], path[PATH_MAX];
	ssize_t len = fd_path(p->d->root_fd, root, sizeof(root), e);
	ssize_t n = len < 0 ? len : fd_path(fd, path, sizeof(path), e);

	if (n < 0)
		return (int)n;
	if (n < len || memcmp(path, root, (size_t)len) != 0)
		return err_set(e, ERR_CONFLICT, "the image's root moved while it was looked at");
	*out = arena_dup(p->a, path + len + strspn(path + len, "/"));
	return 0;
}

static int look_at_link(const struct copyplan *p, struct copyplan_dir *d, struct err *e)
{
	auto_fd int fd = path_open(p->d->root_fd, d->real, O_PATH, 0, PATH_IN_ROOT);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE,
			       "'/%s' is a link in the image, and leads to no directory", d->real);
	d->there = true;
	return real_path(p, fd, &d->real, e);
}

/* Fill in .real and .there of a directory whose parent is known. */
static int look(const struct copyplan *p, struct copyplan_dir *d, const char *base, struct err *e)
{
	auto_fd int fd = -1;
	struct stat st;

	d->real = filefind_join(p->a, d->up->real, base);
	if (!d->up->there)
		return 0;
	fd = path_open(p->d->root_fd, d->real, O_PATH | O_NOFOLLOW, 0, PATH_IN_ROOT);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		errno = fd < 0 ? -fd : errno;
		return err_sys(e, "'/%s' in the image", d->real);
	}
	if (S_ISLNK(st.st_mode))
		return look_at_link(p, d, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "'/%s' is not a directory in the image", d->real);
	d->there = true;
	return 0;
}

/* What path stands for.  Sources come in their order, so most of the way is known already. */
static int find_dir(struct copyplan *p, const char *path, struct copyplan_dir **out, struct err *e)
{
	struct copyplan_dir *d = p->last;
	size_t n;

	while (d->up && (!str_after(path, d->path) ||
			 (path[strlen(d->path)] != '/' && path[strlen(d->path)])))
		d = d->up;
	n = strlen(d->path);
	while (path[n]) {
		const char *base = path + n + (path[n] == '/');
		size_t len = strcspn(base, "/");
		struct copyplan_dir *next = arena_alloc(p->a, sizeof(*next));
		int r;

		n = (size_t)(base - path) + len;
		*next = (struct copyplan_dir){.up = d, .path = arena_dupn(p->a, path, n)};
		r = look(p, next, arena_dupn(p->a, base, len), e);
		if (r < 0)
			return r;
		d = next;
	}
	p->last = d;
	*out = d;
	return 0;
}

/* ---- sources ---- */

static void append(struct copyplan *p, const struct copyplan_entry *x)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct copyplan_entry *v = arena_array(p->a, cap, sizeof(*v));

		if (p->n)
			memcpy(v, p->v, p->n * sizeof(*v));
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n] = *x;
	p->v[p->n].order = p->n;
	p->n++;
}

/* A name that means a removal to whoever reads the layer. */
static int check_name(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');

	if (str_after(slash ? slash + 1 : path, ".wh."))
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s': a name that begins with .wh. means a removal in a layer",
			       path);
	return strlen(path) > LIMIT_PATH
		   ? err_set(e, ERR_LIMIT, "'%.64s...': longer than %d bytes", path, LIMIT_PATH)
		   : 0;
}

static int add_dir(struct copyplan *p, struct copyplan_entry *x, const char *path, struct err *e)
{
	struct copyplan_dir *d;
	int r = find_dir(p, path, &d, e);

	/* One that is there already keeps what it is, unless an archive says what it shall be. */
	if (r < 0 || !*d->real || (d->there && (!x->root->archive || !*x->item->to)))
		return r;
	/* Only what is in a source directory is copied: the one that holds it is a new one. */
	if (!*x->item->to)
		x->kind = COPYPLAN_MADE;
	x->path = d->real;
	append(p, x);
	return check_name(d->real, e);
}

static int add_file(struct copyplan *p, struct copyplan_entry *x, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash ? arena_dupn(p->a, path, (size_t)(slash - path)) : "";
	auto_fd int fd = -1;
	struct copyplan_dir *d;
	struct stat st;
	int r = find_dir(p, dir, &d, e);

	if (r < 0)
		return r;
	x->path = filefind_join(p->a, d->real, slash ? slash + 1 : path);
	fd =
	    d->there ? path_open(p->d->root_fd, x->path, O_PATH | O_NOFOLLOW, 0, PATH_IN_ROOT) : -1;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "'/%s' is a directory in the image, and a file in %s",
			       x->path, x->root->name);
	append(p, x);
	return check_name(x->path, e);
}

int copyplan_add(struct copyplan *p, const struct filefind_root *r, const struct filefind_list *l,
		 struct err *e)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < l->n; i++) {
		const struct filefind_item *it = &l->v[i];
		struct copyplan_entry x = {.root = r, .item = it};
		const char *path =
		    it->alone && !p->into_dir ? p->dest : filefind_join(p->a, p->dest, it->to);

		ret = S_ISDIR(it->st.st_mode) ? add_dir(p, &x, path, e) : add_file(p, &x, path, e);
	}
	return ret;
}

int copyplan_begin(struct copyplan *p, const struct copyplan_dest *d, struct arena *a,
		   struct err *e)
{
	char *clean = arena_alloc(a, strlen(d->path) + 1);
	size_t n = strlen(d->path);
	struct copyplan_dir *root = arena_alloc(a, sizeof(*root));

	cleanpath(d->path, clean);
	*root = (struct copyplan_dir){.path = "", .real = "", .there = d->root_fd >= 0};
	*p = (struct copyplan){.d = d, .a = a, .dest = clean, .last = root};
	p->into_dir = !*clean || (n && d->path[n - 1] == '/');
	if (!p->into_dir && d->root_fd >= 0) {
		auto_fd int fd = path_open(d->root_fd, clean, O_PATH, 0, PATH_IN_ROOT);
		struct stat st;

		p->into_dir = fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	}
	if (d->named > 1 && !p->into_dir)
		return err_set(
		    e, ERR_USAGE,
		    "'%s' must be a directory and end with '/': there is more than one source",
		    d->path);
	return 0;
}

/* ---- the order of the layer ---- */

/* '/' before every other byte: what is in a directory stands right behind it. */
static int by_path(const void *va, const void *vb)
{
	const struct copyplan_entry *x = va, *y = vb;
	const unsigned char *a = (const unsigned char *)x->path,
			    *b = (const unsigned char *)y->path;
	int ca, cb;

	while (*a && *a == *b)
		a++, b++;
	ca = *a == '/' ? 1 : *a ? *a + 1 : 0;
	cb = *b == '/' ? 1 : *b ? *b + 1 : 0;
	if (ca != cb)
		return ca - cb;
	return x->order < y->order ? -1 : 1;
}

static bool is_dir(const struct copyplan_entry *x)
{
	return x->kind != COPYPLAN_FILE || S_ISDIR(x->item->st.st_mode);
}

static int clash(const char *path, struct err *e)
{
	return err_set(e, ERR_USAGE, "'/%s' would be a file and a directory", path);
}

/* Whether x is in the directory at path. */
static bool beneath(const char *path, const char *x)
{
	size_t n = strlen(path);

	return strncmp(path, x, n) == 0 && x[n] == '/';
}

/* The directories between what the layer has already and x. */
static int add_above(struct copyplan *p, const struct copyplan_entry *x, const char *before,
		     struct err *e)
{
	size_t same = 0, known = 0;

	while (before[same] && before[same] == x->path[same])
		same++;
	/* Only whole components count as known; before itself is one of them when it is above x. */
	for (size_t i = 0; i <= same; i++)
		if (x->path[i] == '/' && (before[i] == '/' || !before[i]))
			known = i;
	for (const char *s = strchr(x->path + known + 1, '/'); s; s = strchr(s + 1, '/')) {
		struct copyplan_entry up = {
		    .kind = COPYPLAN_MADE, .root = x->root, .item = x->item};
		auto_fd int fd = -1;

		up.path = arena_dupn(p->a, x->path, (size_t)(s - x->path));
		if (p->d->root_fd >= 0)
			fd = path_open(p->d->root_fd, up.path, O_PATH | O_DIRECTORY, 0,
				       PATH_NO_LINKS);
		if (fd >= 0)
			up.kind = COPYPLAN_THERE;
		else if (check_name(up.path, e) < 0)
			return -ENOTSUP;
		append(p, &up);
	}
	return 0;
}

int copyplan_end(struct copyplan *p, struct err *e)
{
	struct copyplan sorted = *p;
	int r = 0;

	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), by_path);
	sorted.v = NULL;
	sorted.n = sorted.cap = 0;
	for (size_t i = 0; r >= 0 && i < p->n; i++) {
		const struct copyplan_entry *x = &p->v[i];
		struct copyplan_entry *last = sorted.n ? &sorted.v[sorted.n - 1] : NULL;

		if (last && streq(last->path, x->path)) {
			if (is_dir(last) != is_dir(x))
				return clash(x->path, e);
			if (!is_dir(x) || (x->kind == COPYPLAN_FILE && x->root->archive))
				*last = *x;
			continue;
		}
		if (last && !is_dir(last) && beneath(last->path, x->path))
			return clash(last->path, e);
		r = add_above(&sorted, x, last ? last->path : "", e);
		append(&sorted, x);
	}
	*p = sorted;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/filecopy.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/cleanpath.h"
#include "fmt/dockerignore.h"
#include "fmt/glob.h"
#include "fmt/limits.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK (256 << 10)

/* ---- finding ---- */

struct finder {
	const struct filecopy_root *r;
	const struct filecopy_rules *rules;
	struct arena *a;
	struct filecopy_list *out;
	struct err *e;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted names of a directory. */
static int names_of(int fd, const char *path, struct arena *a, struct strs *out, struct err *e)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *de;

	if (!d) {
		int r = err_sys(e, "'%s'", path);

		if (copy >= 0)
			close(copy);
		return r;
	}
	while ((de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			arena_strs_add(a, out, arena_dup(a, de->d_name));
	closedir(d);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_text);
	return 0;
}

static int append(struct finder *f, const struct filecopy_item *item)
{
	struct filecopy_list *l = f->out;

	if (l->n == FILECOPY_MAX)
		return err_set(f->e, ERR_LIMIT, "more than %d files in one COPY", FILECOPY_MAX);
	if (!(l->n & (l->n - 1))) { /* full at every power of two */
		struct filecopy_item *v = arena_array(f->a, l->n ? l->n * 2 : 1, sizeof(*v));

		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
	}
	l->v[l->n++] = *item;
	return 0;
}

static const char *join(struct arena *a, const char *dir, const char *name)
{
	return *dir && *name ? arena_printf(a, "%s/%s", dir, name) : *dir ? dir : name;
}

/* Out by .dockerignore (from the root on) or by --exclude (from the source on). */
static bool left_out(const struct finder *f, const char *from, const char *beneath, bool *enter)
{
	bool out = false;

	*enter = true;
	if (f->r->ignore && *from && dockerignore_match(f->r->ignore, from)) {
		out = true;
		*enter = dockerignore_enter(f->r->ignore, from);
	}
	if (f->rules->exclude && *beneath && dockerignore_match(f->rules->exclude, beneath)) {
		out = true;
		*enter = *enter && dockerignore_enter(f->rules->exclude, beneath);
	}
	return out;
}

struct place {
	const char *from, *to, *beneath;
};

static int walk(struct finder *f, int fd, const struct place *at, unsigned int depth);

static int walk_entry(struct finder *f, int fd, const char *name, const struct place *dir,
		      unsigned int depth)
{
	struct place at = {join(f->a, dir->from, name), join(f->a, dir->to, name),
			   join(f->a, dir->beneath, name)};
	struct filecopy_item item = {.from = at.from, .to = at.to};
	bool enter, out = left_out(f, at.from, at.beneath, &enter);
	size_t before = f->out->n;
	auto_fd int sub = -1;
	int r;

	if (out && !enter)
		return 0;
	if (fstatat(fd, name, &item.st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(f->e, "'%s' in %s", at.from, f->r->name);
	if (S_ISSOCK(item.st.st_mode) || (out && !S_ISDIR(item.st.st_mode)))
		return 0;
	r = append(f, &item);
	if (r < 0 || !S_ISDIR(item.st.st_mode))
		return r;
	sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return err_sys(f->e, "'%s' in %s", at.from, f->r->name);
	r = walk(f, sub, &at, depth + 1);
	/* A directory that is left out comes along only for what is taken back in it. */
	if (r >= 0 && out && f->out->n == before + 1)
		f->out->n = before;
	return r;
}

static int walk(struct finder *f, int fd, const struct place *at, unsigned int depth)
{
	struct strs names = {0};
	int r;

	if (depth > LIMIT_DEPTH)
		return err_set(f->e, ERR_LIMIT, "'%.64s...' in %s: more than %d directories deep",
			       at->from, f->r->name, LIMIT_DEPTH);
	r = names_of(fd, at->from, f->a, &names, f->e);
	for (size_t i = 0; r >= 0 && i < names.n; i++)
		r = walk_entry(f, fd, names.v[i], at, depth);
	return r;
}

/* One source that is there: a file, or what is in a directory. */
static int take(struct finder *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	auto_fd int fd = path_open(f->r->fd, *path ? path : ".", O_PATH, 0, PATH_IN_ROOT);
	struct filecopy_item item = {.from = path};
	struct place at = {.from = path, .beneath = ""};
	bool enter, out = left_out(f, path, "", &enter);
	auto_fd int dir = -1;
	int r;

	if (fd < 0 || (out && !enter))
		return -ENOENT;
	if (fstat(fd, &item.st) < 0)
		return err_sys(f->e, "'%s' in %s", path, f->r->name);
	if (out && !S_ISDIR(item.st.st_mode))
		return -ENOENT;
	f->out->named++;
	if (!S_ISDIR(item.st.st_mode)) {
		item.alone = !f->rules->parents;
		item.to = f->rules->parents ? path : name;
		return append(f, &item);
	}
	at.to = item.to = f->rules->parents ? path : "";
	r = append(f, &item);
	if (r < 0)
		return r;
	dir = path_open(f->r->fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
	return dir < 0 ? err_sys(f->e, "'%s' in %s", path, f->r->name) : walk(f, dir, &at, 1);
}

/* Match one component of a pattern after the other; what is a plain name needs no directory read.
 */
static int expand(struct finder *f, const char *done, const char *pattern, bool *found)
{
	size_t n = strcspn(pattern, "/");
	const char *part = arena_dupn(f->a, pattern, n), *rest = pattern + n + (pattern[n] == '/');
	auto_fd int dir = -1;
	struct strs names = {0};
	struct glob g;
	int r;

	if (!*pattern) {
		r = take(f, done);
		*found |= r >= 0;
		return r == -ENOENT ? 0 : r;
	}
	if (!strpbrk(part, "*?[\\"))
		return expand(f, join(f->a, done, part), rest, found);
	r = glob_path(part, f->a, &g, f->e);
	if (r < 0)
		return r;
	dir = path_open(f->r->fd, *done ? done : ".", O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
	if (dir < 0)
		return 0;
	r = names_of(dir, done, f->a, &names, f->e);
	for (size_t i = 0; r >= 0 && i < names.n; i++)
		if (glob_match(&g, names.v[i], strlen(names.v[i])))
			r = expand(f, join(f->a, done, names.v[i]), rest, found);
	return r;
}

int filecopy_find(const struct filecopy_root *r, const struct strs *patterns,
		  const struct filecopy_rules *rules, struct arena *a, struct filecopy_list *out,
		  struct err *e)
{
	struct finder f = {.r = r, .rules = rules, .a = a, .out = out, .e = e};

	*out = (struct filecopy_list){0};
	for (size_t i = 0; i < patterns->n; i++) {
		char *pattern = arena_alloc(a, strlen(patterns->v[i]) + 1);
		bool found = false;
		int ret;

		cleanpath(patterns->v[i], pattern);
		ret = expand(&f, "", pattern, &found);
		if (ret < 0)
			return ret;
		if (!found)
			return err_set(
			    e, ERR_NOT_FOUND, "'%s' is not in %s%s", patterns->v[i], r->name,
			    r->ignore && r->ignore->n ? ", or left out by .dockerignore" : "");
	}
	return 0;
}

/* ---- reading, for digest and copy ---- */

static int changed(const struct filecopy_root *r, const struct filecopy_item *it, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "'%s' in %s changed while it was read", it->from, r->name);
}

/* The file that was found, and no other. */
static int open_item(const struct filecopy_root *r, const struct filecopy_item *it, struct err *e)
{
	auto_fd int fd = path_open(r->fd, it->from, O_RDONLY | O_NONBLOCK, 0, PATH_IN_ROOT);
	struct stat st;

	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "'%s' in %s", it->from, r->name);
	}
	if (fstat(fd, &st) < 0 || st.st_ino != it->st.st_ino || st.st_dev != it->st.st_dev ||
	    st.st_size != it->st.st_size || st.st_mtim.tv_sec != it->st.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != it->st.st_mtim.tv_nsec)
		return changed(r, it, e);
	return take_fd(&fd);
}

static bool wanted_xattr(const char *name)
{
	return str_after(name, "user.") || streq(name, "security.capability");
}

/* Call fn for each attribute that belongs to the file; a file system without them has none. */
static int each_xattr(int fd, int (*fn)(void *ctx, const char *name, const void *v, size_t n),
		      void *ctx)
{
	auto_free char *list = NULL;
	auto_free char *value = NULL;
	ssize_t len = flistxattr(fd, NULL, 0);

	if (len <= 0)
		return 0;
	list = malloc((size_t)len);
	value = malloc(LIMIT_XATTR_VALUE);
	if (!list || !value)
		abort();
	len = flistxattr(fd, list, (size_t)len);
	for (const char *k = list; len > 0 && k < list + len; k += strlen(k) + 1) {
		ssize_t n = wanted_xattr(k) ? fgetxattr(fd, k, value, LIMIT_XATTR_VALUE) : -1;
		int r = n >= 0 ? fn(ctx, k, value, (size_t)n) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the digest ---- */

static void add_text(struct sha256 *h, const char *s)
{
	sha256_add(h, s, strlen(s) + 1);
}

static void add_number(struct sha256 *h, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	add_text(h, text);
}

static int add_xattr(void *ctx, const char *name, const void *v, size_t n)
{
	add_text(ctx, name);
	add_number(ctx, n);
	sha256_add(ctx, v, n);
	return 0;
}

static int add_content(struct sha256 *h, const struct filecopy_root *r,
		       const struct filecopy_item *it, char *chunk, struct err *e)
{
	auto_fd int fd = open_item(r, it, e);
	uint64_t left = (uint64_t)it->st.st_size;

	if (fd < 0)
		return fd;
	while (left) {
		ssize_t n = read(fd, chunk, left < CHUNK ? (size_t)left : CHUNK);

		if (n < 0)
			return err_sys(e, "'%s' in %s", it->from, r->name);
		if (n == 0)
			return changed(r, it, e);
		sha256_add(h, chunk, (size_t)n);
		left -= (uint64_t)n;
	}
	each_xattr(fd, add_xattr, h);
	return 0;
}

static ssize_t read_link(const struct filecopy_root *r, const struct filecopy_item *it, char *out,
			 size_t size, struct err *e)
{
	const char *base;
	auto_fd int dir = path_parent(r->fd, it->from, 0, PATH_IN_ROOT, &base);
	ssize_t n = dir < 0 ? dir : readlinkat(dir, base, out, size - 1);

	if (n < 0)
		return err_sys(e, "'%s' in %s", it->from, r->name);
	out[n] = 0;
	return n;
}

int filecopy_digest(const struct filecopy_root *r, const struct filecopy_list *l, bool owners,
		    unsigned char sum[32], struct err *e)
{
	auto_free char *chunk = malloc(CHUNK);
	struct sha256 h;
	int ret = 0;

	if (!chunk)
		abort();
	sha256_init(&h);
	for (size_t i = 0; ret >= 0 && i < l->n; i++) {
		const struct filecopy_item *it = &l->v[i];
		char target[LIMIT_LINK + 2];

		add_text(&h, it->to);
		add_number(&h, it->alone);
		add_number(&h, it->st.st_mode);
		add_number(&h, owners ? it->st.st_uid : 0);
		add_number(&h, owners ? it->st.st_gid : 0);
		add_number(&h, S_ISREG(it->st.st_mode) ? (uint64_t)it->st.st_size : it->st.st_rdev);
		if (S_ISREG(it->st.st_mode))
			ret = add_content(&h, r, it, chunk, e);
		else if (S_ISLNK(it->st.st_mode) &&
			 (ret = (int)read_link(r, it, target, sizeof(target), e)) >= 0)
			add_text(&h, target);
	}
	sha256_done(&h, sum);
	return ret < 0 ? ret : 0;
}

/* ---- writing ---- */

struct linked {
	dev_t dev;
	ino_t ino;
	const char *path; /* in the destination's root */
};

struct writer {
	const struct filecopy_root *r;
	const struct filecopy_dest *d;
	struct arena a;
	bool into_dir; /* the destination is, or becomes, a directory */
	const char *dest;
	char *chunk;
	/* The directory that was written to last stays open: files come in its order. */
	const char *parent;
	int parent_fd;
	struct linked *links;
	size_t n_links;
	struct filecopy_item **dirs; /* made here: their times are set at the end */
	size_t n_dirs;
	struct err *e;
};

static int owner_of(const struct writer *w, const struct filecopy_item *it, uid_t *uid, gid_t *gid)
{
	*uid = w->d->owner_set ? w->d->uid : w->d->keep_owner ? it->st.st_uid : 0;
	*gid = w->d->owner_set ? w->d->gid : w->d->keep_owner ? it->st.st_gid : 0;
	return 0;
}

static int cannot(const struct writer *w, const char *path)
{
	return err_sys(w->e, "write '%s'", path);
}

/* Where it goes, in the destination's root. */
static const char *target_of(struct writer *w, const struct filecopy_item *it)
{
	if (it->alone && !w->into_dir)
		return w->dest;
	return join(&w->a, w->dest, it->to);
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
	fd = path_mkdirs(w->d->root_fd, *dir ? dir : ".", 0755, PATH_IN_ROOT);
	if (fd < 0) {
		errno = -fd;
		return errno == ENOTDIR
			   ? err_set(w->e, ERR_USAGE, "'/%s' is not a directory in the image", dir)
			   : cannot(w, dir);
	}
	if (w->parent_fd >= 0)
		close(w->parent_fd);
	w->parent_fd = fd;
	w->parent = dir;
	return fd;
}

/* What is in the way of a file goes, unless it is a directory. */
static int make_room(struct writer *w, int dir, const char *base, const char *path)
{
	if (unlinkat(dir, base, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR)
		return err_set(w->e, ERR_USAGE,
			       "'/%s' is a directory in the image, and a file in %s", path,
			       w->r->name);
	return cannot(w, path);
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

static int copy_bytes(struct writer *w, int from, int to, const struct filecopy_item *it)
{
	uint64_t left = (uint64_t)it->st.st_size;

	while (left) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, left, 0);

		if (n < 0 &&
		    (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
			n = read(from, w->chunk, left < CHUNK ? (size_t)left : CHUNK);
			if (n > 0 && write(to, w->chunk, (size_t)n) != n)
				return cannot(w, it->to);
		}
		if (n < 0)
			return err_sys(w->e, "copy '%s'", it->from);
		if (n == 0)
			return changed(w->r, it, w->e);
		left -= (uint64_t)n;
	}
	return 0;
}

static int put_file(struct writer *w, const struct filecopy_item *it, const char *path)
{
	const char *base;
	int dir = open_parent(w, path, &base);
	auto_fd int from = dir < 0 ? -1 : open_item(w->r, it, w->e);
	auto_fd int to = -1;
	uid_t uid;
	gid_t gid;
	int r;

	if (dir < 0 || from < 0)
		return dir < 0 ? dir : from;
	r = make_room(w, dir, base, path);
	if (r < 0)
		return r;
	to = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return cannot(w, path);
	r = copy_bytes(w, from, to, it);
	if (r < 0)
		return r;
	owner_of(w, it, &uid, &gid);
	/* Owner before mode and attributes: chown takes setuid and capabilities away. */
	if (fchown(to, uid, gid) < 0 ||
	    fchmod(to, w->d->mode_set ? w->d->mode : it->st.st_mode & 07777) < 0 ||
	    each_xattr(from, put_xattr, &to) < 0 || put_times(to, NULL, &it->st) < 0)
		return cannot(w, path);
	return 0;
}

/* The second name of a file that was copied before becomes a link to the first. */
static int put_linked(struct writer *w, const struct filecopy_item *it, const char *path)
{
	const char *base;
	int dir, r;

	for (size_t i = 0; i < w->n_links; i++) {
		auto_fd int first = -1;
		const char *name;

		if (w->links[i].ino != it->st.st_ino || w->links[i].dev != it->st.st_dev)
			continue;
		dir = open_parent(w, path, &base);
		if (dir < 0)
			return dir;
		first = path_parent(w->d->root_fd, w->links[i].path, 0, PATH_IN_ROOT, &name);
		r = make_room(w, dir, base, path);
		if (r < 0)
			return r;
		return first < 0 || linkat(first, name, dir, base, 0) < 0 ? cannot(w, path) : 0;
	}
	if (!(w->n_links & (w->n_links - 1))) {
		struct linked *v = arena_array(&w->a, w->n_links ? w->n_links * 2 : 1, sizeof(*v));

		if (w->n_links)
			memcpy(v, w->links, w->n_links * sizeof(*v));
		w->links = v;
	}
	w->links[w->n_links++] = (struct linked){it->st.st_dev, it->st.st_ino, path};
	return put_file(w, it, path);
}

static int put_other(struct writer *w, const struct filecopy_item *it, const char *path)
{
	char target[LIMIT_LINK + 2];
	const char *base;
	int dir = open_parent(w, path, &base), r;
	uid_t uid;
	gid_t gid;

	if (dir < 0)
		return dir;
	r = make_room(w, dir, base, path);
	if (r >= 0 && S_ISLNK(it->st.st_mode))
		r = (int)read_link(w->r, it, target, sizeof(target), w->e);
	if (r < 0)
		return r;
	if (S_ISLNK(it->st.st_mode) ? symlinkat(target, dir, base) < 0
				    : mknodat(dir, base, it->st.st_mode, it->st.st_rdev) < 0)
		return cannot(w, path);
	owner_of(w, it, &uid, &gid);
	if (fchownat(dir, base, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(it->st.st_mode) && fchmodat(dir, base, it->st.st_mode & 07777, 0) < 0) ||
	    put_times(dir, base, &it->st) < 0)
		return cannot(w, path);
	return 0;
}

/* A directory that is there already keeps what it is. */
static int put_dir(struct writer *w, struct filecopy_item *it, const char *path)
{
	auto_fd int there = path_open(w->d->root_fd, *path ? path : ".", O_PATH, 0, PATH_IN_ROOT);
	auto_fd int fd = -1;
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (there >= 0 && fstat(there, &st) == 0)
		return S_ISDIR(st.st_mode)
			   ? 0
			   : err_set(w->e, ERR_USAGE,
				     "'/%s' is a file in the image, and a directory in %s", path,
				     w->r->name);
	fd = path_mkdirs(w->d->root_fd, path, 0755, PATH_IN_ROOT);
	if (fd < 0) {
		errno = -fd;
		return cannot(w, path);
	}
	close(take_fd(&fd));
	fd = path_open(w->d->root_fd, path, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
	owner_of(w, it, &uid, &gid);
	if (fd < 0 || fchown(fd, uid, gid) < 0 ||
	    fchmod(fd, w->d->mode_set ? w->d->mode : it->st.st_mode & 07777) < 0)
		return cannot(w, path);
	w->dirs[w->n_dirs++] = it;
	return 0;
}

static int put(struct writer *w, struct filecopy_item *it)
{
	const char *path = target_of(w, it);

	if (S_ISDIR(it->st.st_mode))
		return put_dir(w, it, path);
	if (S_ISREG(it->st.st_mode))
		return it->st.st_nlink > 1 ? put_linked(w, it, path) : put_file(w, it, path);
	return put_other(w, it, path);
}

/* Whether the destination is a directory: it says so, or it is there, or there must be one. */
static int find_dest(struct writer *w, const struct filecopy_list *l)
{
	const char *path = w->d->path;
	size_t n = strlen(path);
	auto_fd int fd = -1;
	struct stat st;

	w->into_dir = n && path[n - 1] == '/';
	while (*path == '/')
		path++;
	n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	w->dest = arena_dupn(&w->a, path, n);
	if (!w->into_dir) {
		fd = path_open(w->d->root_fd, n ? w->dest : ".", O_PATH, 0, PATH_IN_ROOT);
		w->into_dir = fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	}
	if (l->named > 1 && !w->into_dir)
		return err_set(
		    w->e, ERR_USAGE,
		    "'%s' must be a directory and end with '/': there is more than one source",
		    w->d->path);
	return 0;
}

int filecopy_write(const struct filecopy_root *r, const struct filecopy_list *l,
		   const struct filecopy_dest *d, struct err *e)
{
	struct writer w = {
	    .r = r, .d = d, .a = ARENA_INIT, .chunk = malloc(CHUNK), .parent_fd = -1, .e = e};
	int ret;

	if (!w.chunk)
		abort();
	w.dirs = arena_array(&w.a, l->n + 1, sizeof(struct filecopy_item *));
	ret = find_dest(&w, l);
	for (size_t i = 0; ret >= 0 && i < l->n; i++)
		ret = put(&w, &l->v[i]);
	/* Innermost first: each change of one below has gone before. */
	while (ret >= 0 && w.n_dirs) {
		const struct filecopy_item *it = w.dirs[--w.n_dirs];
		const char *path = target_of(&w, it);
		auto_fd int fd = path_open(d->root_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY,
					   0, PATH_IN_ROOT);

		if (fd < 0 || put_times(fd, NULL, &it->st) < 0)
			ret = cannot(&w, path);
	}
	if (w.parent_fd >= 0)
		close(w.parent_fd);
	free(w.chunk);
	arena_free(&w.a);
	return ret;
}

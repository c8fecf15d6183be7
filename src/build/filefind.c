/* SPDX-License-Identifier: Apache-2.0 */
#include "build/filefind.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/why.h"
#include "fmt/cleanpath.h"
#include "fmt/dockerignore.h"
#include "fmt/glob.h"
#include "fmt/limits.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK (256 << 10)

/* ---- finding ---- */

struct finder {
	const struct filefind_root *r;
	const struct filefind_rules *rules;
	size_t pivot; /* --parents: so many components of a source stay behind */
	struct arena *a;
	struct filefind_list *out;
	struct err *e;
};

static int names_of(const struct finder *f, int fd, const char *path, struct strs *out)
{
	errno = -path_names(fd, f->a, out);
	return errno ? err_sys(f->e, "'%s' in %s", path, f->r->name) : 0;
}

static int append(struct finder *f, const struct filefind_item *item)
{
	struct filefind_list *l = f->out;

	if (l->n == FILEFIND_MAX)
		return err_set(f->e, ERR_LIMIT, "more than %d files in one COPY", FILEFIND_MAX);
	l->v = arena_room(f->a, l->v, l->n, sizeof(*l->v));
	l->v[l->n++] = *item;
	return 0;
}

const char *filefind_join(struct arena *a, const char *dir, const char *name)
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
	struct place at = {filefind_join(f->a, dir->from, name), filefind_join(f->a, dir->to, name),
			   filefind_join(f->a, dir->beneath, name)};
	struct filefind_item item = {.from = at.from, .to = at.to};
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
	r = names_of(f, fd, at->from, &names);
	for (size_t i = 0; r >= 0 && i < names.n; i++)
		r = walk_entry(f, fd, names.v[i], at, depth);
	return r;
}

/* Where a source goes with --parents. */
static const char *with_parents(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->pivot && *path; i++) {
		path += strcspn(path, "/");
		path += *path == '/';
	}
	return path;
}

/* One source that is there: a file, or what is in a directory. */
static int take(struct finder *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	auto_fd int fd = path_open(f->r->fd, *path ? path : ".", O_PATH, 0, PATH_IN_ROOT);
	struct filefind_item item = {.from = path};
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
		item.to = f->rules->parents ? with_parents(f, path) : name;
		return append(f, &item);
	}
	at.to = item.to = f->rules->parents ? with_parents(f, path) : "";
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
		return expand(f, filefind_join(f->a, done, part), rest, found);
	r = glob_path(part, f->a, &g, f->e);
	if (r < 0)
		return r;
	dir = path_open(f->r->fd, *done ? done : ".", O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
	if (dir < 0)
		return 0;
	r = names_of(f, dir, done, &names);
	for (size_t i = 0; r >= 0 && i < names.n; i++)
		if (glob_match(&g, names.v[i], strlen(names.v[i])))
			r = expand(f, filefind_join(f->a, done, names.v[i]), rest, found);
	return r;
}

/* The components before the first "/./", which say where to look and are no part of the result.
 * Source: the Dockerfile reference, COPY --parents. */
static size_t pivot_of(const char *pattern, struct arena *a)
{
	const char *pivot = strstr(pattern, "/./");
	char *before;
	size_t n = 0;

	if (!pivot)
		return 0;
	before = arena_alloc(a, strlen(pattern) + 1);
	cleanpath(arena_dupn(a, pattern, (size_t)(pivot - pattern)), before);
	for (const char *p = before; *p; p += strcspn(p, "/"), p += *p == '/')
		n++;
	return n;
}

int filefind_find(const struct filefind_root *r, const struct strs *patterns,
		  const struct filefind_rules *rules, struct arena *a, struct filefind_list *out,
		  struct err *e)
{
	struct finder f = {.r = r, .rules = rules, .a = a, .out = out, .e = e};

	*out = (struct filefind_list){0};
	for (size_t i = 0; i < patterns->n; i++) {
		char *pattern = arena_alloc(a, strlen(patterns->v[i]) + 1);
		bool found = false;
		int ret;

		cleanpath(patterns->v[i], pattern);
		f.pivot = rules->parents ? pivot_of(patterns->v[i], a) : 0;
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

int filefind_changed(const struct filefind_root *r, const struct filefind_item *it, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "'%s' in %s changed while it was read", it->from, r->name);
}

void filefind_reader_done(struct filefind_reader *k)
{
	if (k->dir_fd >= 0)
		close(k->dir_fd);
	free(k->dir);
	*k = FILEFIND_READER_INIT;
}

/* The directory of path, whose last component begins at base. */
static int enter(struct filefind_reader *k, const struct filefind_root *r, const char *path,
		 size_t base)
{
	char *dir;

	if (k->dir_fd >= 0 && k->root_fd == r->fd && strncmp(k->dir, path, base) == 0 &&
	    !k->dir[base])
		return 0;
	dir = strndup(path, base);
	if (!dir)
		abort();
	filefind_reader_done(k);
	k->root_fd = r->fd;
	k->dir = dir;
	k->dir_fd = path_open(r->fd, base ? dir : ".", O_PATH | O_DIRECTORY, 0, PATH_IN_ROOT);
	return k->dir_fd;
}

/* One name of a directory that stays open, which saves the walk; a link, though, is read from the
 * root. */
static int open_item(struct filefind_reader *k, const struct filefind_root *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t base = slash ? (size_t)(slash - path) + 1 : 0;
	int fd = enter(k, r, path, base);

	if (fd < 0)
		return fd;
	fd = openat(k->dir_fd, path + base, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return path_open(r->fd, path, O_RDONLY | O_NONBLOCK, 0, PATH_IN_ROOT);
	return fd < 0 ? -errno : fd;
}

/* The file that was found, and no other. */
int filefind_read(struct filefind_reader *k, const struct filefind_root *r,
		  const struct filefind_item *it, struct err *e)
{
	auto_fd int fd = open_item(k, r, it->from);
	struct stat st;

	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "'%s' in %s", it->from, r->name);
	}
	if (fstat(fd, &st) < 0 || st.st_ino != it->st.st_ino || st.st_dev != it->st.st_dev ||
	    st.st_size != it->st.st_size || st.st_mtim.tv_sec != it->st.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != it->st.st_mtim.tv_nsec)
		return filefind_changed(r, it, e);
	return take_fd(&fd);
}

static bool wanted_xattr(const char *name, bool acls)
{
	return str_after(name, "user.") || streq(name, "security.capability") ||
	       (acls && str_after(name, "system.posix_acl_"));
}

/* Call fn for each attribute that belongs to the file; a file system without them has none. */
int filefind_each_xattr(int fd, bool acls,
			int (*fn)(void *ctx, const char *name, const void *v, size_t n), void *ctx)
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
		ssize_t n = wanted_xattr(k, acls) ? fgetxattr(fd, k, value, LIMIT_XATTR_VALUE) : -1;
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

static int add_content(struct sha256 *h, struct filefind_reader *k, const struct filefind_root *r,
		       const struct filefind_item *it, char *chunk, struct err *e)
{
	auto_fd int fd = filefind_read(k, r, it, e);
	uint64_t left = (uint64_t)it->st.st_size;

	if (fd < 0)
		return fd;
	while (left) {
		ssize_t n = read(fd, chunk, left < CHUNK ? (size_t)left : CHUNK);

		if (n < 0)
			return err_sys(e, "'%s' in %s", it->from, r->name);
		if (n == 0)
			return filefind_changed(r, it, e);
		sha256_add(h, chunk, (size_t)n);
		left -= (uint64_t)n;
	}
	filefind_each_xattr(fd, false, add_xattr, h);
	return 0;
}

ssize_t filefind_link(const struct filefind_root *r, const struct filefind_item *it, char *out,
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

static int digest_one(const struct filefind_root *r, const struct filefind_item *it,
		      struct filefind_reader *reader, char *chunk, unsigned char sum[32],
		      struct err *e)
{
	char target[LIMIT_LINK + 2];
	struct sha256 h;
	int ret = 0;

	sha256_init(&h);
	add_text(&h, it->to);
	add_number(&h, it->alone);
	add_number(&h, it->st.st_mode);
	add_number(&h, r->owners ? it->st.st_uid : 0);
	add_number(&h, r->owners ? it->st.st_gid : 0);
	add_number(&h, S_ISREG(it->st.st_mode) ? (uint64_t)it->st.st_size : it->st.st_rdev);
	if (S_ISREG(it->st.st_mode))
		ret = add_content(&h, reader, r, it, chunk, e);
	else if (S_ISLNK(it->st.st_mode) &&
		 (ret = (int)filefind_link(r, it, target, sizeof(target), e)) >= 0)
		add_text(&h, target);
	sha256_done(&h, sum);
	return ret;
}

int filefind_digest(const struct filefind_root *r, const struct filefind_list *l,
		    unsigned char sum[32], struct why *w, struct err *e)
{
	auto_free char *chunk = malloc(CHUNK);
	auto_buf struct buf name = BUF_INIT(1 << 16);
	struct filefind_reader reader = FILEFIND_READER_INIT;
	struct sha256 h;
	int ret = 0;

	if (!chunk)
		abort();
	sha256_init(&h);
	for (size_t i = 0; ret >= 0 && i < l->n; i++) {
		const struct filefind_item *it = &l->v[i];
		unsigned char one[32];

		ret = digest_one(r, it, &reader, chunk, one, e);
		sha256_add(&h, one, sizeof(one));
		name.len = 0;
		buf_printf(&name, "'%s' in %s", *it->from ? it->from : "/", r->name);
		why_add(w, name.p, one, sizeof(one));
	}
	filefind_reader_done(&reader);
	sha256_done(&h, sum);
	return ret < 0 ? ret : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/verify.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/builder.h"
#include "engine/imageroot.h"
#include "engine/session.h"
#include "fmt/limits.h"
#include "store/image.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK	 (64 << 10)
#define TEXT_MAX (64 << 10)

/* ---- two files ---- */

struct pair {
	int dir[2];
	const char *name;
	struct stat st[2];
	struct buf *out; /* what differs */
};

static const char *kind_of(mode_t mode)
{
	return S_ISREG(mode)   ? "a file"
	       : S_ISDIR(mode) ? "a directory"
	       : S_ISLNK(mode) ? "a link"
	       : S_ISCHR(mode) ? "a character device"
	       : S_ISBLK(mode) ? "a block device"
			       : "a FIFO";
}

__attribute__((format(printf, 2, 3))) static void add(struct pair *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(p->out, "%s%s", p->out->len ? "; " : "", text);
}

static void compare_stat(struct pair *p)
{
	const struct stat *x = &p->st[0], *y = &p->st[1];

	if (x->st_size != y->st_size && S_ISREG(x->st_mode))
		add(p, "size %lld, %lld", (long long)x->st_size, (long long)y->st_size);
	if (x->st_mode != y->st_mode)
		add(p, "mode %04o, %04o", x->st_mode & 07777, y->st_mode & 07777);
	if (x->st_uid != y->st_uid || x->st_gid != y->st_gid)
		add(p, "owner %u:%u, %u:%u", x->st_uid, x->st_gid, y->st_uid, y->st_gid);
	if (x->st_mtim.tv_sec != y->st_mtim.tv_sec || x->st_mtim.tv_nsec != y->st_mtim.tv_nsec)
		add(p, "time %lld, %lld", (long long)x->st_mtim.tv_sec,
		    (long long)y->st_mtim.tv_sec);
	if (x->st_rdev != y->st_rdev)
		add(p, "device %u:%u, %u:%u", major(x->st_rdev), minor(x->st_rdev),
		    major(y->st_rdev), minor(y->st_rdev));
}

static int compare_content(struct pair *p, struct err *e)
{
	auto_fd int one = openat(p->dir[0], p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int other = openat(p->dir[1], p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_free char *room = malloc(2 * CHUNK);
	unsigned long long at = 0;

	if (!room)
		abort();
	if (one < 0 || other < 0)
		return err_sys(e, "'%s'", p->name);
	for (;;) {
		ssize_t n = fd_read_full(one, room, CHUNK),
			m = fd_read_full(other, room + CHUNK, CHUNK);
		ssize_t k = 0;

		if (n < 0 || m < 0)
			return err_set(e, ERR_SYSTEM, "'%s' cannot be read", p->name);
		while (k < n && k < m && room[k] == room[CHUNK + k])
			k++;
		if (k < n || k < m)
			add(p, "content from byte %llu on", at + (unsigned long long)k);
		if (k < n || k < m || n < CHUNK)
			return 0;
		at += (unsigned long long)n;
	}
}

static void compare_links(struct pair *p)
{
	char text[2][LIMIT_LINK + 1];

	for (int i = 0; i < 2; i++) {
		ssize_t n = readlinkat(p->dir[i], p->name, text[i], LIMIT_LINK);

		text[i][n < 0 ? 0 : n] = 0;
	}
	if (!streq(text[0], text[1]))
		add(p, "target '%.80s', '%.80s'", text[0], text[1]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names and values, in order, as one text. */
static void read_xattrs(int fd, struct buf *out)
{
	char list[LIMIT_XATTR_TOTAL > 65536 ? 65536 : LIMIT_XATTR_TOTAL];
	const char *names[LIMIT_XATTRS];
	ssize_t len = flistxattr(fd, list, sizeof(list));
	size_t n = 0;

	for (const char *k = list; k < list + len && n < LIMIT_XATTRS; k += strlen(k) + 1)
		names[n++] = k;
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		auto_free char *value = malloc(LIMIT_XATTR_VALUE);
		ssize_t got = value ? fgetxattr(fd, names[i], value, LIMIT_XATTR_VALUE) : -1;

		buf_add(out, names[i], strlen(names[i]) + 1);
		buf_add(out, value, got > 0 ? (size_t)got : 0);
	}
}

static void compare_xattrs(struct pair *p)
{
	struct buf text[2] = {BUF_INIT(1 << 20), BUF_INIT(1 << 20)};

	for (int i = 0; i < 2; i++) {
		auto_fd int fd = openat(p->dir[i], p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			read_xattrs(fd, &text[i]);
	}
	if (text[0].len != text[1].len || memcmp(text[0].p, text[1].p, text[0].len) != 0)
		add(p, "extended attributes");
	buf_free(&text[0]);
	buf_free(&text[1]);
}

static int compare(struct pair *p, struct err *e)
{
	const mode_t one = p->st[0].st_mode, other = p->st[1].st_mode;
	int r = 0;

	if ((one & S_IFMT) != (other & S_IFMT)) {
		add(p, "%s, %s", kind_of(one), kind_of(other));
		return 0;
	}
	compare_stat(p);
	if (S_ISREG(one))
		r = compare_content(p, e);
	else if (S_ISLNK(one))
		compare_links(p);
	if (r >= 0 && (S_ISREG(one) || S_ISDIR(one)))
		compare_xattrs(p);
	return r;
}

/* ---- two trees ---- */

struct walk {
	struct arena *a;
	struct buf path, what;
	const char **out;
};

static void found(struct walk *w)
{
	*w->out = arena_printf(w->a, "/%s: %s", w->path.p, w->what.p);
}

static int walk_dirs(struct walk *w, int one, int other, unsigned int depth, struct err *e);

static int walk_pair(struct walk *w, struct pair *p, unsigned int depth, struct err *e)
{
	auto_fd int one = -1, other = -1;
	int r = compare(p, e);

	if (r < 0 || w->what.len || !S_ISDIR(p->st[0].st_mode)) {
		if (w->what.len)
			found(w);
		return r;
	}
	one = openat(p->dir[0], p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	other = openat(p->dir[1], p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (one < 0 || other < 0)
		return err_sys(e, "'/%s'", w->path.p);
	return walk_dirs(w, one, other, depth + 1, e);
}

/* A layer by itself shows what it takes away as overlayfs marks it. */
static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static int walk_name(struct walk *w, const int dir[2], const char *name, unsigned int depth,
		     struct err *e)
{
	struct pair p = {.dir = {dir[0], dir[1]}, .name = name, .out = &w->what};
	size_t len = w->path.len;
	bool there[2];
	int r = 0;

	for (int i = 0; i < 2; i++)
		there[i] = fstatat(dir[i], name, &p.st[i], AT_SYMLINK_NOFOLLOW) == 0 &&
			   !is_whiteout(&p.st[i]);
	buf_printf(&w->path, "%s%s", len ? "/" : "", name);
	if (!there[0] && !there[1]) {
		r = 0;
	} else if (!there[0] || !there[1]) {
		add(&p, "only in the %s build", there[0] ? "first" : "second");
		found(w);
	} else {
		r = walk_pair(w, &p, depth, e);
	}
	w->path.len = len;
	w->path.p[len] = 0;
	return r;
}

static int walk_dirs(struct walk *w, int one, int other, unsigned int depth, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const int dir[2] = {one, other};
	struct strs x = {0}, y = {0};
	int r = 0;

	if (depth > LIMIT_DEPTH || path_names(one, &a, &x) < 0 || path_names(other, &a, &y) < 0)
		return err_set(e, ERR_SYSTEM, "'/%.200s' cannot be read", w->path.p);
	for (size_t i = 0, k = 0; r >= 0 && !*w->out && (i < x.n || k < y.n);) {
		int c = i == x.n ? 1 : k == y.n ? -1 : strcmp(x.v[i], y.v[k]);

		r = walk_name(w, dir, c <= 0 ? x.v[i] : y.v[k], depth, e);
		i += c <= 0;
		k += c >= 0;
	}
	return r;
}

int verify_trees(int one, int other, struct arena *a, const char **out, struct err *e)
{
	struct walk w = {
	    .a = a, .path = BUF_INIT(TEXT_MAX), .what = BUF_INIT(TEXT_MAX), .out = out};
	int r;

	*out = NULL;
	r = walk_dirs(&w, one, other, 0, e);
	buf_free(&w.path);
	buf_free(&w.what);
	return r;
}

/* ---- two images ---- */

/* The line of history that made the n-th layer; behind all of them when there is none. */
static size_t line_of(const struct image *i, size_t n)
{
	const struct oci_histories *h = &i->config.history;
	size_t k = 0;

	while (k < h->n && (h->v[k].empty_layer || n-- > 0))
		k++;
	return k;
}

static int compare_roots(struct store *s, const struct strs *one, const struct strs *other,
			 struct arena *a, const char **out, struct err *e)
{
	auto_fd int x = imageroot_open(s, one, a, e);
	auto_fd int y = x < 0 ? x : imageroot_open(s, other, a, e);

	return x < 0 ? x : y < 0 ? y : verify_trees(x, y, a, out, e);
}

static struct strs part(const struct strs *l, size_t from, size_t to, struct arena *a)
{
	struct strs out = {0};

	for (size_t i = from; i < to; i++)
		arena_strs_add(a, &out, l->v[i]);
	return out;
}

static int compare_layers(struct store *s, const struct image *one, const struct image *other,
			  struct arena *a, struct verify *out, struct err *e)
{
	const struct strs *x = &one->record.layers, *y = &other->record.layers;
	const struct oci_histories *lines;
	struct strs p, q;
	size_t n = 0, k, m, i;
	int r;

	while (n < x->n && n < y->n && streq(x->v[n], y->v[n]))
		n++;
	if (n == x->n && n == y->n)
		return 0;
	/* Both have the same lines: where they part, one step left files in one build only. */
	k = line_of(one, n);
	m = line_of(other, n);
	lines = k < m ? &one->config.history : &other->config.history;
	i = k < m ? k : m;
	out->layer =
	    arena_printf(a, "layer %zu, of '%.300s'", n + 1,
			 i < lines->n && lines->v[i].created_by ? lines->v[i].created_by : "");
	if (k != m) {
		out->file =
		    arena_printf(a, "only the %s build has this layer", k < m ? "first" : "second");
		return 0;
	}
	p = part(x, n, n + 1, a);
	q = part(y, n, n + 1, a);
	r = compare_roots(s, &p, &q, a, &out->file, e);
	/* What a layer takes away shows only in what is left. */
	p = part(x, 0, n + 1, a);
	q = part(y, 0, n + 1, a);
	if (r >= 0 && !out->file)
		r = compare_roots(s, &p, &q, a, &out->file, e);
	if (r >= 0 && !out->file)
		out->file = "its files are the same: only their archive differs";
	return r;
}

/* Both are in the store. */
static int compare_images(struct store *s, const char *one, const char *other, struct arena *a,
			  struct verify *out, struct err *e)
{
	struct image *x = NULL, *y = NULL;
	int r = image_find_id(s, one, &x, e);

	if (r >= 0)
		r = image_find_id(s, other, &y, e);
	if (r >= 0)
		r = compare_layers(s, x, y, a, out, e);
	if (r >= 0 && !out->file) {
		size_t k = 0;

		while (k < x->config_len && k < y->config_len &&
		       x->config_text[k] == y->config_text[k])
			k++;
		out->file = arena_printf(a, "the configurations differ: '...%.60s', '...%.60s'",
					 x->config_text + (k > 20 ? k - 20 : 0),
					 y->config_text + (k > 20 ? k - 20 : 0));
	}
	image_close(x);
	image_close(y);
	return r;
}

int verify_run(struct session *s, const struct builder_opts *o, const struct builder_result *built,
	       struct builder_result *again, struct arena *a, struct verify *out, struct err *e)
{
	struct builder_opts second = *o;
	struct store *store;
	int r;

	*out = (struct verify){0};
	second.tags = (struct strs){0};
	second.no_cache = second.vary = true;
	r = builder_run(s, &second, a, again, e);
	if (r >= 0)
		r = session_store(s, &store, e);
	if (r < 0)
		return r;
	out->second = again->manifest;
	out->same = streq(built->manifest, again->manifest);
	if (out->same)
		return 0;
	if (streq(built->id, again->id))
		out->file = "only how the layers are compressed differs";
	else
		r = compare_images(store, built->id, again->id, a, out, e);
	if (r >= 0 && !streq(built->id, again->id))
		r = builder_forget(s, again->id, e);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "files/changes.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/limits.h"
#include "sys/fusemarks.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct change {
	const char *path;
	char kind;
};

struct changes {
	const struct changes_opts *o;
	struct arena a;
	struct change *v;
	size_t n, room;
	char path[LIMIT_PATH + LIMIT_NAME + 2]; /* "/etc/hosts" */
	size_t len;
	int depth;
	struct err *e;
};

/* What became of a directory's content. */
struct inside {
	bool told;    /* something in it, at any depth */
	bool names;   /* an entry came or went */
	bool skipped; /* a place for a mount */
};

static void add(struct changes *c, char kind)
{
	struct change *grown;

	if (c->n == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		grown = arena_array(&c->a, c->room, sizeof(*grown));
		if (c->n)
			memcpy(grown, c->v, c->n * sizeof(*grown));
		c->v = grown;
	}
	c->v[c->n++] = (struct change){arena_dup(&c->a, c->path), kind};
}

static bool to_skip(const struct changes *c)
{
	for (size_t i = 0; c->o->skip && i < c->o->skip->n; i++)
		if (streq(c->o->skip->v[i], c->path + 1))
			return true;
	return false;
}

static int open_dir(int dir, const char *name)
{
	return dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int names_of(struct changes *c, int fd, struct strs *out)
{
	errno = -path_names(fd, &c->a, out);
	return errno ? err_sys(c->e, "'%s'", c->path) : 0;
}

static bool opaque(const struct changes *c, int fd)
{
	char v[2];

	if (c->o->fuse_marks)
		return fusemarks_opaque(fd);
	return fgetxattr(fd, c->o->user_marks ? "user.overlay.opaque" : "trusted.overlay.opaque", v,
			 sizeof(v)) == 1 &&
	       *v == 'y';
}

static int walk(struct changes *c, int upper, int lower, struct inside *in);

static bool same_attributes(const struct stat *a, const struct stat *b, bool times)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       (!times || (a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
			   a->st_mtim.tv_nsec == b->st_mtim.tv_nsec));
}

/* below: what the image has there, NULL for nothing. */
static int directory(struct changes *c, int upper, int lower, const char *name,
		     const struct stat *st, const struct stat *below, struct inside *parent)
{
	auto_fd int up = open_dir(upper, name);
	auto_fd int low = below && S_ISDIR(below->st_mode) ? open_dir(lower, name) : -1;
	struct inside in = {0};
	int r;

	if (up < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? 0
			   : err_sys(c->e, "'%s'", c->path);
	r = walk(c, up, low, &in);
	if (r < 0)
		return r;
	parent->told |= in.told;
	if (!below && to_skip(c) && !in.told) {
		parent->skipped = true;
		return 0;
	}
	/* Docker tells a directory when it differs itself, or when names in it came or went. Only
	 * the place of a mount came, and its time is the engine's doing. */
	if (below && S_ISDIR(below->st_mode) && !in.names &&
	    same_attributes(st, below, !in.skipped))
		return 0;
	add(c, below ? 'C' : 'A');
	parent->told = true;
	parent->names |= !below;
	return 0;
}

/* The image's entry is hidden. */
static int whiteout(struct changes *c, bool below, struct inside *parent)
{
	if (below) {
		add(c, 'D');
		parent->names = parent->told = true;
	}
	return 0;
}

static int entry(struct changes *c, int upper, int lower, const char *name, struct inside *parent)
{
	const char *gone = c->o->fuse_marks ? fusemarks_whiteout(name) : NULL;
	struct stat st, low;
	bool below;

	if (gone)
		return whiteout(
		    c, lower >= 0 && *gone && fstatat(lower, gone, &low, AT_SYMLINK_NOFOLLOW) == 0,
		    parent);
	if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(c->e, "'%s'", c->path);
	below = lower >= 0 && fstatat(lower, name, &low, AT_SYMLINK_NOFOLLOW) == 0;
	if (S_ISDIR(st.st_mode))
		return directory(c, upper, lower, name, &st, below ? &low : NULL, parent);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		return whiteout(c, below, parent);
	} else if (!below && to_skip(c) && S_ISREG(st.st_mode) && st.st_size == 0) {
		parent->skipped = true;
		return 0;
	} else {
		add(c, below ? 'C' : 'A');
		parent->names |= !below;
	}
	parent->told = true;
	return 0;
}

static int enter(struct changes *c, const char *name, size_t *before, struct err *e)
{
	*before = c->len;
	if (c->len + strlen(name) + 1 > LIMIT_PATH)
		return err_set(e, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH);
	c->path[c->len++] = '/';
	memcpy(c->path + c->len, name, strlen(name) + 1);
	c->len += strlen(name);
	return 0;
}

static void leave(struct changes *c, size_t before)
{
	c->len = before;
	c->path[before] = '\0';
}

/* An opaque directory hides all of the image's: what it does not have itself is deleted. */
static int hidden(struct changes *c, int upper, int lower, struct inside *in)
{
	struct strs names = {0};
	int r = names_of(c, lower, &names);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		struct stat st;
		size_t before;

		if (fstatat(upper, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = enter(c, names.v[i], &before, c->e);
		if (r < 0)
			break;
		add(c, 'D');
		in->told = in->names = true;
		leave(c, before);
	}
	return r;
}

static const char *shown_as(const struct changes *c, const char *name)
{
	const char *gone = c->o->fuse_marks ? fusemarks_whiteout(name) : NULL;

	return gone ? gone : name;
}

static int walk(struct changes *c, int upper, int lower, struct inside *in)
{
	struct strs names = {0};
	int r = names_of(c, upper, &names);

	if (++c->depth > LIMIT_DEPTH)
		r = err_set(c->e, ERR_LIMIT, "more than %d directories deep", LIMIT_DEPTH);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		size_t before;

		r = enter(c, shown_as(c, names.v[i]), &before, c->e);
		if (r < 0)
			break;
		r = entry(c, upper, lower, names.v[i], in);
		leave(c, before);
	}
	if (r >= 0 && lower >= 0 && opaque(c, upper))
		r = hidden(c, upper, lower, in);
	c->depth--;
	return r;
}

static int order(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

int changes_list(int upper, int lower, const struct changes_opts *o, struct buf *out, struct err *e)
{
	struct changes *c = calloc(1, sizeof(*c));
	struct inside in = {0};
	int r;

	if (!c)
		abort();
	*c = (struct changes){.o = o, .e = e};
	r = walk(c, upper, lower, &in);
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), order);
	for (size_t i = 0; r >= 0 && i < c->n; i++) {
		buf_printf(out, "%c %s", c->v[i].kind, c->v[i].path);
		buf_add(out, "", 1);
	}
	if (r >= 0)
		r = buf_fail(out, "list of changes", e);
	arena_free(&c->a);
	free(c);
	return r;
}

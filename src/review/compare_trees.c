/* SPDX-License-Identifier: Apache-2.0 */
#include "review/compare_trees.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"
#include "review/content.h"
#include "unpack/merge.h"
#include "unpack/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (64u << 10)

struct side {
	struct tree t;
	struct content content;
};

struct compare {
	struct side from, to;
	struct arena *a;
	struct review_changes *out;
	size_t room;
	bool times;
	uint8_t one[PIECE], two[PIECE];
	char path[LIMIT_PATH + LIMIT_NAME + 2];
	size_t len;
	struct err *e;
};

static void nothing(void *arg, struct tree_node *node)
{
}

static int merge_side(struct side *s, const struct compare_trees_side *in, struct arena *a,
		      struct err *e)
{
	struct content_layer *v = arena_array(a, in->n, sizeof(*v));
	uint64_t base = 0;
	int r = 0;

	tree_init(&s->t, NULL);
	for (size_t i = 0; r >= 0 && i < in->n; i++) {
		struct merge_watch w = {.layer = (uint32_t)i, .gone = nothing};

		v[i] = (struct content_layer){in->layers[i].p, in->layers[i].len, base};
		r = merge_lay(&s->t, &in->layers[i], base, &w, e);
		if (r < 0)
			err_wrap(e, r, "layer %zu", i + 1);
		base += in->layers[i].len / EROFS_BLOCK;
	}
	s->content = (struct content){.layers = v, .n = in->n};
	return r;
}

static int add(struct compare *c, const char *kind, const char *detail)
{
	struct review_changes *o = c->out;
	struct review_change *grown;
	char *path;

	if (o->changes.n >= REVIEW_CHANGES)
		return err_set(c->e, ERR_LIMIT, "more than %d differences", REVIEW_CHANGES);
	if (o->changes.n == c->room) {
		c->room = c->room ? c->room * 2 : 256;
		grown = arena_array(c->a, c->room, sizeof(*grown));
		if (o->changes.n)
			memcpy(grown, o->changes.v, o->changes.n * sizeof(*grown));
		o->changes.v = grown;
	}
	path = arena_dup(c->a, c->path);
	for (size_t i = 0; path[i]; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			path[i] = '?';
	o->changes.v[o->changes.n++] = (struct review_change){kind, path, detail};
	return 0;
}

/* ---- one file ---- */

static bool same_content(struct compare *c, const struct tree_inode *x, const struct tree_inode *y)
{
	for (uint64_t off = 0; off < x->size; off += PIECE) {
		size_t n = x->size - off < PIECE ? (size_t)(x->size - off) : PIECE;

		content_read(&c->from.content, x, off, c->one, n);
		content_read(&c->to.content, y, off, c->two, n);
		if (memcmp(c->one, c->two, n) != 0)
			return false;
	}
	return true;
}

static bool same_xattrs(const struct tree_inode *x, const struct tree_inode *y)
{
	const struct tree_xattr *a = x->xattrs, *b = y->xattrs; /* sorted by name */

	for (; a && b; a = a->next, b = b->next)
		if (!streq(a->name, b->name) || a->len != b->len ||
		    memcmp(a->value, b->value, a->len) != 0)
			return false;
	return !a && !b;
}

static const char *join(struct compare *c, const char *list, const char *word)
{
	return *list ? arena_printf(c->a, "%s, %s", list, word) : word;
}

/* What differs, in words; "" for nothing. */
static const char *differences(struct compare *c, const struct tree_inode *x,
			       const struct tree_inode *y)
{
	const char *d = "";

	if ((x->mode & S_IFMT) != (y->mode & S_IFMT))
		return "type";
	if (S_ISREG(x->mode) && x->size != y->size)
		d = join(c, d,
			 arena_printf(c->a, "size %llu to %llu", (unsigned long long)x->size,
				      (unsigned long long)y->size));
	else if (S_ISREG(x->mode) && !same_content(c, x, y))
		d = join(c, d, "content");
	if (S_ISLNK(x->mode) && !streq(x->link, y->link))
		d = join(c, d, "target");
	if (x->major != y->major || x->minor != y->minor)
		d = join(c, d, "device");
	if (x->mode != y->mode)
		d = join(c, d,
			 arena_printf(c->a, "mode %04o to %04o", x->mode & 07777, y->mode & 07777));
	if (x->uid != y->uid || x->gid != y->gid)
		d = join(
		    c, d,
		    arena_printf(c->a, "owner %u:%u to %u:%u", x->uid, x->gid, y->uid, y->gid));
	if (!same_xattrs(x, y))
		d = join(c, d, "attributes");
	if (c->times && (x->mtime != y->mtime || x->mtime_nsec != y->mtime_nsec))
		d = join(c, d, "time");
	return d;
}

/* ---- the walk ---- */

static int enter(struct compare *c, const struct tree_node *n, size_t *before)
{
	*before = c->len;
	c->len += (size_t)snprintf(c->path + c->len, sizeof(c->path) - c->len, "/%s", n->name);
	if (c->len > LIMIT_PATH)
		return err_set(c->e, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH);
	return 0;
}

static void leave(struct compare *c, size_t before)
{
	c->len = before;
	c->path[before] = '\0';
}

/* A name of one side only, with all beneath it. */
static int whole(struct compare *c, struct side *s, const struct tree_node *n, const char *kind)
{
	struct tree_node **v;
	size_t before;
	int r = enter(c, n, &before);

	if (r >= 0)
		r = add(c, kind, NULL);
	if (r >= 0 && S_ISDIR(n->inode->mode)) {
		v = tree_sorted(&s->t, n);
		for (size_t i = 0; r >= 0 && i < n->nchildren; i++)
			r = whole(c, s, v[i], kind);
	}
	leave(c, before);
	return r;
}

static int walk(struct compare *c, const struct tree_node *from, const struct tree_node *to);

static int both(struct compare *c, const struct tree_node *x, const struct tree_node *y)
{
	const char *d;
	size_t before;
	int r = enter(c, x, &before);

	if (r < 0)
		return r;
	d = differences(c, x->inode, y->inode);
	if (*d)
		r = add(c, "C", d);
	if (r >= 0 && S_ISDIR(x->inode->mode) && S_ISDIR(y->inode->mode))
		r = walk(c, x, y);
	leave(c, before);
	return r;
}

static int walk(struct compare *c, const struct tree_node *from, const struct tree_node *to)
{
	struct tree_node **x = tree_sorted(&c->from.t, from), **y = tree_sorted(&c->to.t, to);
	size_t i = 0, k = 0;
	int r = 0;

	while (r >= 0 && (i < from->nchildren || k < to->nchildren)) {
		int order = i == from->nchildren ? 1
			    : k == to->nchildren ? -1
						 : strcmp(x[i]->name, y[k]->name);

		if (order < 0)
			r = whole(c, &c->from, x[i++], "D");
		else if (order > 0)
			r = whole(c, &c->to, y[k++], "A");
		else
			r = both(c, x[i++], y[k++]);
	}
	return r;
}

int compare_trees_run(const struct compare_trees_side *from, const struct compare_trees_side *to,
		      bool times, struct arena *a, struct review_changes *out, struct err *e)
{
	struct compare *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		abort();
	*out = (struct review_changes){0};
	c->a = a;
	c->out = out;
	c->times = times;
	c->e = e;
	r = merge_side(&c->from, from, a, e);
	if (r >= 0)
		r = merge_side(&c->to, to, a, e);
	if (r >= 0)
		r = walk(c, &c->from.t.root, &c->to.t.root);
	tree_done(&c->from.t);
	tree_done(&c->to.t);
	free(c);
	return r;
}

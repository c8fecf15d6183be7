/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - whiteouts: a layer of directories, files, links, whiteouts and opaque marks over a few
 * short names, two bytes each: the tree is what a model of the rules says.  The model knows one
 * level of directories 'a' to 'd' with names 'a' to 'd' in them.
 */
#include "base/buf.h"
#include "base/err.h"
#include "fmt/tarwrite.h"
#include "unpack/sink.h"
#include "unpack/tree.h"
#include "unpack/untar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIRS = 4, NAMES = 4 };
enum what { NOTHING, FILE_, DIR_, WHITEOUT };

struct model {
	struct {
		enum what what;
		bool opaque;
		enum what in[NAMES];
	} d[DIRS];
};

/* The directory as the parent of something that comes. */
static bool enter(struct model *m, int d)
{
	if (m->d[d].what == FILE_)
		return false;
	if (m->d[d].what == WHITEOUT)
		m->d[d].opaque = true;
	m->d[d].what = DIR_;
	return true;
}

/* Top level: another kind of thing takes the place of all that was there. */
static void put(struct model *m, int d, enum what w)
{
	enum what old = m->d[d].what;

	if (old == DIR_ && w == DIR_)
		return;
	memset(&m->d[d], 0, sizeof(m->d[d]));
	m->d[d].what = w;
	m->d[d].opaque = w == DIR_ && old == WHITEOUT;
}

static void hide(struct model *m, int d)
{
	if (m->d[d].what == NOTHING)
		m->d[d].what = WHITEOUT;
	else if (m->d[d].what != WHITEOUT)
		m->d[d].opaque = m->d[d].what == DIR_;
}

/* Apply one step to the model; false: the layer must be refused. */
static bool apply(struct model *m, int op, int d, int n)
{
	switch (op) {
	case 0:
		put(m, d, DIR_);
		return true;
	case 1:
		put(m, d, FILE_);
		return true;
	case 2:
		hide(m, d);
		return true;
	case 3:
		if (!enter(m, d))
			return false;
		m->d[d].opaque = true;
		return true;
	case 4:
		if (!enter(m, d))
			return false;
		m->d[d].in[n] = FILE_;
		return true;
	default:
		if (!enter(m, d))
			return false;
		if (m->d[d].in[n] == NOTHING)
			m->d[d].in[n] = WHITEOUT;
		return true;
	}
}

static void write_entry(int op, int d, int n, struct buf *out)
{
	char name[32], dir = (char)('a' + d), file = (char)('a' + n);
	struct tarwrite_entry te = {.name = name, .mode = 0644, .type = TARWRITE_FILE};

	snprintf(name, sizeof(name), "%s%c", op == 2 ? ".wh." : "", dir);
	if (op == 3)
		snprintf(name, sizeof(name), "%c/.wh..wh..opq", dir);
	else if (op > 3)
		snprintf(name, sizeof(name), "%c/%s%c", dir, op == 5 ? ".wh." : "", file);
	else if (op == 0)
		te.type = TARWRITE_DIR;
	if (tarwrite_header(&te, out, NULL) < 0)
		abort();
}

static void check_node(const struct tree_node *n, enum what want)
{
	enum what have = !n			   ? NOTHING
			 : n->whiteout		   ? WHITEOUT
			 : S_ISDIR(n->inode->mode) ? DIR_
						   : FILE_;

	if (have != want)
		abort();
}

static void check(struct tree *t, const struct model *m)
{
	for (int d = 0; d < DIRS; d++) {
		char name = (char)('a' + d);
		struct tree_node *dir = tree_find(t, &t->root, &name, 1);

		check_node(dir, m->d[d].what);
		if (m->d[d].what != DIR_)
			continue;
		if (dir->opaque != m->d[d].opaque)
			abort();
		for (int n = 0; n < NAMES; n++) {
			name = (char)('a' + n);
			check_node(tree_find(t, dir, &name, 1), m->d[d].in[n]);
		}
	}
}

static int begin(void *arg, struct tree_inode *in, const struct tarpax_run *runs, size_t n,
		 struct err *e)
{
	return 0;
}

static int end(void *arg, struct err *e)
{
	return 0;
}

static ssize_t next(void *arg, const void **data, struct err *e)
{
	struct buf **b = arg, *now = *b;

	*b = NULL;
	*data = now ? now->p : NULL;
	return now ? (ssize_t)now->len : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct buf *input = &b;
	struct tarread_source src = {next, &input};
	struct sink sink = {.begin = begin, .end = end};
	struct untar_stats stats = {0};
	struct model m = {0};
	struct tree t;
	bool fine = true;
	int r;

	for (size_t i = 0; fine && i + 1 < size && i < 1000; i += 2) {
		int op = data[i] % 6, d = data[i + 1] % DIRS, n = data[i + 1] / DIRS % NAMES;

		write_entry(op, d, n, &b);
		fine = apply(&m, op, d, n);
	}
	tarwrite_end(&b);
	tree_init(&t, NULL);
	r = untar_run(&src, &t, &sink, &stats, NULL);
	if ((r >= 0) != fine)
		abort();
	if (fine)
		check(&t, &m);
	tree_done(&t);
	return 0;
}

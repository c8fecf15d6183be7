/* SPDX-License-Identifier: Apache-2.0 */
#include "build/lockfile.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (16u << 20)
#define VERSION	 1

struct document {
	int64_t version;
	struct jbind_map images, urls, git;
};

static const struct jbind_field fields[] = {
    JB(struct document, version, "version", JBIND_INT, .flags = JBIND_REQUIRED),
    JB(struct document, images, "images", JBIND_MAP),
    JB(struct document, urls, "urls", JBIND_MAP),
    JB(struct document, git, "git", JBIND_MAP),
    JB_END,
};
static const struct jbind table = {sizeof(struct document), fields, false};

static bool is_commit(const char *s)
{
	size_t n = strlen(s);

	return (n == 40 || n == 64) && strspn(s, "0123456789abcdef") == n;
}

static int check(const struct lockfile *l, struct err *e)
{
	for (int k = 0; k < LOCKFILE_KIND_MAX_; k++)
		for (size_t i = 0; i < l->pins[k].n; i++) {
			const struct jbind_pair *p = &l->pins[k].v[i];

			if (k == LOCKFILE_GIT ? !is_commit(p->value) : !digest_valid(p->value))
				return err_set(e, ERR_CORRUPT,
					       "--lock '%s': '%.80s' of '%.100s' is no %s", l->path,
					       p->value, p->key,
					       k == LOCKFILE_GIT ? "commit" : "digest");
		}
	return 0;
}

/* Into a list that grows here (arena_room()). */
static void take(struct lockfile *l, enum lockfile_kind kind, const struct jbind_map *from)
{
	for (size_t i = 0; i < from->n; i++)
		lockfile_add(l, kind, from->v[i].key, from->v[i].value);
}

int lockfile_read(struct lockfile *l, const char *path, struct arena *a, struct err *e)
{
	auto_free char *text = NULL;
	struct document d = {0};
	ssize_t n;
	int r;

	*l = (struct lockfile){.path = path, .note = l->note, .a = a};
	if (!path)
		return 0;
	n = file_read(AT_FDCWD, path, FILE_MAX, &text);
	if (n == -ENOENT)
		return 0;
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "--lock '%s'", path);
	}
	/* What the document borrows must outlive the text. */
	r = jbind_parse(&table, arena_dupn(a, text, (size_t)n), (size_t)n, &d, a, "lock", e);
	if (r < 0)
		return err_wrap(e, r, "--lock '%s'", path);
	if (d.version != VERSION)
		return err_set(e, ERR_UNSUPPORTED, "--lock '%s': version %lld, want %d", path,
			       (long long)d.version, VERSION);
	take(l, LOCKFILE_IMAGE, &d.images);
	take(l, LOCKFILE_URL, &d.urls);
	take(l, LOCKFILE_GIT, &d.git);
	l->changed = false;
	return check(l, e);
}

const char *lockfile_find(const struct lockfile *l, enum lockfile_kind kind, const char *name)
{
	return jbind_lookup(&l->pins[kind], name);
}

void lockfile_add(struct lockfile *l, enum lockfile_kind kind, const char *name, const char *value)
{
	struct jbind_map *m = &l->pins[kind];

	if ((!l->path && !l->note) || lockfile_find(l, kind, name))
		return;
	m->v = arena_room(l->a, m->v, m->n, sizeof(*m->v));
	m->v[m->n++] = (struct jbind_pair){arena_dup(l->a, name), arena_dup(l->a, value)};
	l->changed = true;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct jbind_pair *)a)->key, ((const struct jbind_pair *)b)->key);
}

/* For people, who keep it under version control: a line per pin, in the order of the names. */
static void put_map(struct buf *out, const char *name, struct jbind_map *m, bool last)
{
	qsort(m->v, m->n, sizeof(*m->v), by_key);
	buf_printf(out, "  \"%s\": {", name);
	for (size_t i = 0; i < m->n; i++) {
		buf_puts(out, i ? ",\n    " : "\n    ");
		json_quote(out, m->v[i].key);
		buf_puts(out, ": ");
		json_quote(out, m->v[i].value);
	}
	buf_printf(out, "%s}%s\n", m->n ? "\n  " : "", last ? "" : ",");
}

int lockfile_write(struct lockfile *l, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FILE_MAX);
	int r;

	if (!l->path || !l->changed)
		return 0;
	buf_printf(&text, "{\n  \"version\": %d,\n", VERSION);
	put_map(&text, "images", &l->pins[LOCKFILE_IMAGE], false);
	put_map(&text, "urls", &l->pins[LOCKFILE_URL], false);
	put_map(&text, "git", &l->pins[LOCKFILE_GIT], true);
	buf_puts(&text, "}\n");
	r = buf_fail(&text, "the lock file", e);
	if (r < 0)
		return r;
	errno = -file_replace_path(l->path, text.p, text.len, 0644, FILE_DURABLE);
	return errno ? err_sys(e, "--lock '%s'", l->path) : 0;
}

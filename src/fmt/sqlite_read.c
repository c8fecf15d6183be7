/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/sqlite_read.h"
#include "base/auto.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 20 /* a balanced tree of 2^32 pages is not that deep */

enum { PAGE_INTERIOR = 5, PAGE_LEAF = 13 };

typedef int column_fn(void *arg, const void *p, size_t len, struct err *e);

struct db {
	const uint8_t *p;
	size_t pages;
	uint32_t page_size, usable;
	uint8_t *seen; /* one per page */
};

/* What is done with every row of the table that is being walked. */
struct walk {
	struct db *db;
	int (*row)(struct walk *w, const uint8_t *p, size_t len, struct err *e);
	/* of the wanted table */
	const char *table;
	uint32_t root;
	unsigned int column;
	column_fn *fn;
	void *arg;
};

static int corrupt(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "damaged database: %s", what);
}

static uint32_t be(const uint8_t *p, int n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* 1 to 9 bytes; returns how many, 0 when the input ends. */
static size_t varint(const uint8_t *p, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len && i < 9; i++) {
		if (i == 8) {
			*out = v << 8 | p[i];
			return 9;
		}
		v = v << 7 | (p[i] & 0x7f);
		if (!(p[i] & 0x80)) {
			*out = v;
			return i + 1;
		}
	}
	return 0;
}

/* Pages count from 1.  Each is handed out once. */
static const uint8_t *page(struct db *d, uint32_t n, struct err *e)
{
	if (n == 0 || n > d->pages) {
		corrupt(e, "a page that is not there");
		return NULL;
	}
	if (d->seen[n - 1]) {
		corrupt(e, "a page that is used twice");
		return NULL;
	}
	d->seen[n - 1] = 1;
	return d->p + (size_t)(n - 1) * d->page_size;
}

/* How much of a row of that many bytes stands in the leaf itself. */
static size_t local_part(const struct db *d, uint64_t total)
{
	size_t u = d->usable, max = u - 35, min = (u - 12) * 32 / 255 - 23, k;

	if (total <= max)
		return (size_t)total;
	k = min + (size_t)((total - min) % (u - 4));
	return k <= max ? k : min;
}

/* A row that goes on in other pages, put together. */
static int gather(struct db *d, const uint8_t *local, size_t have, size_t total, uint8_t *out,
		  struct err *e)
{
	uint32_t next = be(local + have, 4);

	memcpy(out, local, have);
	while (have < total) {
		size_t n = total - have < d->usable - 4 ? total - have : d->usable - 4;
		const uint8_t *p = page(d, next, e);

		if (!p)
			return -EBADMSG;
		memcpy(out + have, p + 4, n);
		have += n;
		next = be(p, 4);
	}
	return 0;
}

static int leaf_cell(struct walk *w, const uint8_t *p, size_t len, struct err *e)
{
	auto_free uint8_t *whole = NULL;
	uint64_t total, rowid;
	size_t n = varint(p, len, &total), m = n ? varint(p + n, len - n, &rowid) : 0, local;
	int r;

	if (!m)
		return corrupt(e, "a cell outside of its page");
	p += n + m;
	len -= n + m;
	if (total > SQLITE_READ_ROW)
		return err_set(e, ERR_LIMIT, "a row of more than %u bytes", SQLITE_READ_ROW);
	local = local_part(w->db, total);
	if (local + (local < total ? 4 : 0) > len)
		return corrupt(e, "a row outside of its page");
	if (local == total)
		return w->row(w, p, (size_t)total, e);
	whole = malloc((size_t)total);
	if (!whole)
		abort();
	r = gather(w->db, p, local, (size_t)total, whole, e);
	return r < 0 ? r : w->row(w, whole, (size_t)total, e);
}

static int walk(struct walk *w, uint32_t n, int depth, struct err *e)
{
	struct db *d = w->db;
	const uint8_t *p = page(d, n, e), *h = p ? p + (n == 1 ? 100 : 0) : NULL;
	size_t cells, first;
	int r = 0;

	if (!h)
		return -EBADMSG;
	if (depth > DEPTH_MAX || (*h != PAGE_INTERIOR && *h != PAGE_LEAF))
		return corrupt(e, "not a table");
	cells = be(h + 3, 2);
	first = (size_t)(h - p) + (*h == PAGE_INTERIOR ? 12 : 8);
	if (first + cells * 2 > d->usable)
		return corrupt(e, "more cells than a page holds");
	for (size_t i = 0; r >= 0 && i < cells; i++) {
		size_t at = be(p + first + i * 2, 2);

		if (at < first || at + 4 > d->usable)
			return corrupt(e, "a cell outside of its page");
		if (*h == PAGE_INTERIOR)
			r = walk(w, be(p + at, 4), depth + 1, e);
		else
			r = leaf_cell(w, p + at, d->usable - at, e);
	}
	return r < 0 || *h == PAGE_LEAF ? r : walk(w, be(h + 8, 4), depth + 1, e);
}

/* Bytes of a value of this serial type. */
static uint64_t width(uint64_t type)
{
	static const uint8_t fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};

	return type < 12 ? fixed[type] : (type - 12) / 2;
}

struct value {
	uint64_t type;
	const uint8_t *p;
	size_t len;
};

/* One column of a record; false when the record is shorter or damaged. */
static bool column_of(const uint8_t *p, size_t len, unsigned int column, struct value *out)
{
	uint64_t head, type, off;
	size_t at = varint(p, len, &head), n;

	if (!at || head > len || head < at)
		return false;
	off = head;
	for (unsigned int i = 0; at < head; i++) {
		n = varint(p + at, (size_t)head - at, &type);
		if (!n || width(type) > len - off)
			return false;
		if (i == column) {
			*out = (struct value){type, p + off, (size_t)width(type)};
			return true;
		}
		at += n;
		off += width(type);
	}
	return false;
}

static bool says(const struct value *v, const char *s)
{
	return v->type >= 13 && v->type % 2 == 1 && v->len == strlen(s) &&
	       memcmp(v->p, s, v->len) == 0;
}

/* sqlite_schema: type, name, tbl_name, rootpage, sql. */
static int schema_row(struct walk *w, const uint8_t *p, size_t len, struct err *e)
{
	struct value type, name, root;

	if (column_of(p, len, 0, &type) && says(&type, "table") && column_of(p, len, 1, &name) &&
	    says(&name, w->table) && column_of(p, len, 3, &root) && root.len <= 4)
		w->root = root.type == 9 ? 1 : be(root.p, (int)root.len);
	return 0;
}

static int data_row(struct walk *w, const uint8_t *p, size_t len, struct err *e)
{
	struct value v;

	if (!column_of(p, len, w->column, &v))
		return corrupt(e, "a row without the column");
	return v.type >= 12 ? w->fn(w->arg, v.p, v.len, e) : 0;
}

static int open_db(const void *p, size_t len, struct db *d, struct err *e)
{
	const uint8_t *h = p;

	if (len < 512 || memcmp(h, "SQLite format 3", 16) != 0)
		return err_set(e, ERR_CORRUPT, "not an SQLite database");
	d->p = h;
	d->page_size = be(h + 16, 2);
	if (d->page_size == 1)
		d->page_size = 65536;
	if (d->page_size < 512 || (d->page_size & (d->page_size - 1)) || d->page_size > 65536)
		return corrupt(e, "its page size");
	d->usable = d->page_size - h[20];
	d->pages = len / d->page_size;
	if (d->usable < 480 || !d->pages || d->pages > UINT32_MAX)
		return corrupt(e, "its page size");
	if (be(h + 56, 4) > 1)
		return err_set(e, ERR_UNSUPPORTED, "database in UTF-16");
	return 0;
}

int sqlite_read_column(const void *p, size_t len, const char *table, unsigned int column,
		       column_fn *fn, void *arg, struct err *e)
{
	auto_free uint8_t *seen = NULL;
	struct db d = {0};
	struct walk w = {
	    .db = &d, .row = schema_row, .table = table, .column = column, .fn = fn, .arg = arg};
	int r = open_db(p, len, &d, e);

	if (r < 0)
		return r;
	d.seen = seen = calloc(d.pages, 1);
	if (!seen)
		abort();
	r = walk(&w, 1, 0, e);
	if (r >= 0 && !w.root)
		r = err_set(e, ERR_NOT_FOUND, "no table '%s' in the database", table);
	w.row = data_row;
	return r < 0 ? r : walk(&w, w.root, 0, e);
}

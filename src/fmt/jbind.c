/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/jbind.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* Where we are, for messages; lives on the stack, one link per level. */
struct where {
	const struct where *up;
	const char *key; /* NULL: an array element */
	size_t index;
};

struct reader {
	struct arena *arena;
	const char *what;
	struct err *e;
};

struct list {
	char *v;
	size_t n;
};

static void path_print(const struct where *w, struct buf *out)
{
	if (!w)
		return;
	path_print(w->up, out);
	if (w->key)
		buf_printf(out, "%s%s", w->up ? "." : "", w->key);
	else
		buf_printf(out, "[%zu]", w->index);
}

static int wrong(const struct reader *rd, const struct where *w, const char *expected)
{
	auto_buf struct buf path = BUF_INIT(256);

	path_print(w, &path);
	return err_set(rd->e, ERR_CORRUPT, "%s: %s: expected %s", rd->what, path.p, expected);
}

static struct json_object *jo(const struct json *j)
{
	union {
		const struct json *in;
		struct json_object *out;
	} u = {.in = j};

	return u.out;
}

static int read_struct(const struct reader *rd, const struct jbind *t, const struct json *j,
		       void *out, const struct where *w);

static int read_int(const struct reader *rd, const struct json *j, int64_t min, int64_t max,
		    int64_t *v, const struct where *w)
{
	char want[96];
	int64_t n;

	if (!json_object_is_type(jo(j), json_type_int))
		return wrong(rd, w, "a number without fraction");
	n = json_object_get_int64(jo(j));
	/* A value above INT64_MAX reads as INT64_MAX, but its unsigned reading is larger. */
	if (n < min || n > max || (n == INT64_MAX && json_object_get_uint64(jo(j)) > INT64_MAX)) {
		snprintf(want, sizeof(want), "a number from %" PRId64 " to %" PRId64, min, max);
		return wrong(rd, w, want);
	}
	*v = n;
	return 0;
}

static int read_uint(const struct reader *rd, const struct json *j, uint64_t *v,
		     const struct where *w)
{
	if (!json_object_is_type(jo(j), json_type_int) || json_object_get_int64(jo(j)) < 0)
		return wrong(rd, w, "a number from 0 up, without fraction");
	*v = json_object_get_uint64(jo(j));
	return 0;
}

static int read_str(const struct reader *rd, const struct json *j, const char **v,
		    const struct where *w)
{
	const char *s = json_string(j);

	if (!s)
		return wrong(rd, w, "a string");
	*v = arena_dup(rd->arena, s);
	return 0;
}

static int read_enum(const struct reader *rd, const struct jbind_field *f, const struct json *j,
		     int *v, const struct where *w)
{
	auto_buf struct buf want = BUF_INIT(200);
	const char *s = json_string(j);

	for (int i = 0; s && f->names[i]; i++)
		if (f->names[i][0] && streq(f->names[i], s)) {
			*v = i;
			return 0;
		}
	buf_puts(&want, "one of");
	for (int i = 0; f->names[i]; i++)
		if (f->names[i][0])
			buf_printf(&want, " %s", f->names[i]);
	return wrong(rd, w, want.p);
}

static int read_list(const struct reader *rd, const struct jbind_field *f, const struct json *j,
		     struct list *out, const struct where *w)
{
	struct list l = {0};

	if (!json_is_array(j))
		return wrong(rd, w, "an array");
	l.v = arena_array(rd->arena, json_length(j), f->sub->size);
	for (; l.n < json_length(j); l.n++) {
		struct where at = {.up = w, .index = l.n};
		int r = read_struct(rd, f->sub, json_at(j, l.n), l.v + l.n * f->sub->size, &at);

		if (r < 0)
			return r;
	}
	*out = l;
	return 0;
}

static int read_strs(const struct reader *rd, const struct json *j, struct strs *out,
		     const struct where *w)
{
	struct strs l = {0};

	if (!json_is_array(j))
		return wrong(rd, w, "an array of strings");
	l.v = arena_strs_array(rd->arena, json_length(j));
	for (; l.n < json_length(j); l.n++) {
		struct where at = {.up = w, .index = l.n};
		int r = read_str(rd, json_at(j, l.n), &l.v[l.n], &at);

		if (r < 0)
			return r;
	}
	*out = l;
	return 0;
}

static int read_nums(const struct reader *rd, const struct json *j, struct jbind_nums *out,
		     const struct where *w)
{
	struct jbind_nums l = {0};

	if (!json_is_array(j))
		return wrong(rd, w, "an array of numbers");
	l.v = arena_array(rd->arena, json_length(j), sizeof(*l.v));
	for (; l.n < json_length(j); l.n++) {
		struct where at = {.up = w, .index = l.n};
		int r = read_int(rd, json_at(j, l.n), INT64_MIN, INT64_MAX, &l.v[l.n], &at);

		if (r < 0)
			return r;
	}
	*out = l;
	return 0;
}

struct map_arg {
	const struct reader *rd;
	const struct where *w;
	struct jbind_map map;
	struct strs keys;
};

static int map_member(const char *key, struct json *value, void *arg)
{
	struct map_arg *m = arg;
	struct where at = {.up = m->w, .key = key};
	struct jbind_pair *p = &m->map.v[m->map.n++];

	p->key = arena_dup(m->rd->arena, key);
	return read_str(m->rd, value, &p->value, &at);
}

static int keys_member(const char *key, struct json *value, void *arg)
{
	struct map_arg *m = arg;

	m->keys.v[m->keys.n++] = arena_dup(m->rd->arena, key);
	return 0;
}

static int read_members(const struct reader *rd, const struct jbind_field *f, const struct json *j,
			void *out, const struct where *w)
{
	struct map_arg m = {.rd = rd, .w = w};
	int r;

	if (!json_is_object(j))
		return wrong(rd, w, "an object");
	if (f->type == JBIND_KEYS) {
		m.keys.v = arena_strs_array(rd->arena, json_length(j));
		r = json_each(j, keys_member, &m);
		*(struct strs *)out = m.keys;
		return r;
	}
	m.map.v = arena_array(rd->arena, json_length(j), sizeof(*m.map.v));
	r = json_each(j, map_member, &m);
	if (r == 0)
		*(struct jbind_map *)out = m.map;
	return r;
}

static int read_small(const struct reader *rd, const struct jbind_field *f, const struct json *j,
		      void *p, const struct where *w)
{
	int64_t v = 0;
	int r;

	if (f->type == JBIND_BOOL) {
		if (!json_object_is_type(jo(j), json_type_boolean))
			return wrong(rd, w, "true or false");
		*(bool *)p = json_object_get_boolean(jo(j));
		return 0;
	}
	if (f->type == JBIND_UINT)
		return read_uint(rd, j, p, w);
	if (f->type == JBIND_I32 || f->type == JBIND_U32) {
		bool i32 = f->type == JBIND_I32;

		r = read_int(rd, j, i32 ? INT32_MIN : 0, i32 ? INT32_MAX : UINT32_MAX, &v, w);
		if (r == 0 && i32)
			*(int32_t *)p = (int32_t)v;
		else if (r == 0)
			*(uint32_t *)p = (uint32_t)v;
		return r;
	}
	r = read_int(rd, j, INT64_MIN, INT64_MAX, &v, w);
	if (r < 0)
		return r;
	if (f->type == JBIND_OPTINT)
		*(struct jbind_optint *)p = (struct jbind_optint){.set = true, .v = v};
	else
		*(int64_t *)p = v;
	return 0;
}

static int read_field(const struct reader *rd, const struct jbind_field *f, const struct json *j,
		      void *p, const struct where *w)
{
	auto_buf struct buf raw = BUF_INIT(16 << 20);
	void *sub;
	int r;

	switch ((enum jbind_type)f->type) {
	case JBIND_STR:
		return read_str(rd, j, p, w);
	case JBIND_ENUM:
		return read_enum(rd, f, j, p, w);
	case JBIND_OBJ:
		return read_struct(rd, f->sub, j, p, w);
	case JBIND_PTR:
		sub = arena_alloc(rd->arena, f->sub->size);
		r = read_struct(rd, f->sub, j, sub, w);
		if (r == 0)
			*(void **)p = sub;
		return r;
	case JBIND_LIST:
		return read_list(rd, f, j, p, w);
	case JBIND_STRS:
		return read_strs(rd, j, p, w);
	case JBIND_NUMS:
		return read_nums(rd, j, p, w);
	case JBIND_MAP:
	case JBIND_KEYS:
		return read_members(rd, f, j, p, w);
	case JBIND_RAW:
		json_dump(j, &raw);
		if (raw.failed)
			return wrong(rd, w, "less text");
		*(const char **)p = arena_dupn(rd->arena, raw.p, raw.len);
		return 0;
	case JBIND_BOOL:
	case JBIND_INT:
	case JBIND_UINT:
	case JBIND_I32:
	case JBIND_U32:
	case JBIND_OPTINT:
		break;
	}
	return read_small(rd, f, j, p, w);
}

static int refuse_unknown(const char *key, struct json *value, void *arg)
{
	const struct jbind *t = arg;

	for (const struct jbind_field *f = t->fields; f->key; f++)
		if (streq(f->key, key))
			return 0;
	return -ENOENT;
}

static int read_struct(const struct reader *rd, const struct jbind *t, const struct json *j,
		       void *out, const struct where *w)
{
	if (!json_is_object(j))
		return w ? wrong(rd, w, "an object")
			 : err_set(rd->e, ERR_CORRUPT, "%s: expected an object", rd->what);
	if (t->strict) {
		union {
			const struct jbind *in;
			void *out;
		} u = {.in = t};

		if (json_each(j, refuse_unknown, u.out) < 0)
			return w ? wrong(rd, w, "known members only")
				 : err_set(rd->e, ERR_CORRUPT, "%s: unknown member", rd->what);
	}
	for (const struct jbind_field *f = t->fields; f->key; f++) {
		struct where at = {.up = w, .key = f->key};
		struct json *v = json_member(j, f->key);
		int r;

		/* JSON null is how Go writes an absent pointer, slice or map. */
		if (!v && f->flags & JBIND_REQUIRED)
			return wrong(rd, &at, "a value");
		if (!v)
			continue;
		r = read_field(rd, f, v, (char *)out + f->off, &at);
		if (r < 0)
			return r;
	}
	return 0;
}

int jbind_read(const struct jbind *t, const struct json *j, void *out, struct arena *a,
	       const char *what, struct err *e)
{
	struct reader rd = {.arena = a, .what = what, .e = e};

	return read_struct(&rd, t, j, out, NULL);
}

int jbind_parse(const struct jbind *t, const char *text, size_t len, void *out, struct arena *a,
		const char *what, struct err *e)
{
	auto_json struct json *j = NULL;
	int r = json_parse(text, len, what, &j, e);

	return r < 0 ? r : jbind_read(t, j, out, a, what, e);
}

/* ---- what a table does not know ---- */

struct unknown {
	const struct jbind *t;
	const struct where *w;
	void (*fn)(const char *path, void *arg);
	void *arg;
};

static void look_inside(const struct unknown *up, const struct jbind_field *f, const struct json *j,
			const struct where *w);

static int look_at(const char *key, struct json *value, void *arg)
{
	const struct unknown *u = arg;
	struct where at = {.up = u->w, .key = key};
	auto_buf struct buf path = BUF_INIT(1024);

	for (const struct jbind_field *f = u->t->fields; f->key; f++)
		if (streq(f->key, key)) {
			look_inside(u, f, value, &at);
			return 0;
		}
	path_print(&at, &path);
	u->fn(path.p, u->arg);
	return 0;
}

static void look_inside(const struct unknown *up, const struct jbind_field *f, const struct json *j,
			const struct where *w)
{
	struct unknown u = {.t = f->sub, .w = w, .fn = up->fn, .arg = up->arg};

	if ((f->type == JBIND_OBJ || f->type == JBIND_PTR) && json_is_object(j))
		json_each(j, look_at, &u);
	for (size_t i = 0; f->type == JBIND_LIST && i < json_length(j) && json_is_array(j); i++) {
		struct where at = {.up = w, .index = i};

		u.w = &at;
		if (json_is_object(json_at(j, i)))
			json_each(json_at(j, i), look_at, &u);
	}
}

void jbind_unknown(const struct jbind *t, const struct json *j,
		   void (*fn)(const char *path, void *arg), void *arg)
{
	struct unknown u = {.t = t, .fn = fn, .arg = arg};

	if (json_is_object(j))
		json_each(j, look_at, &u);
}

static bool is_empty(const struct jbind_field *f, const void *p)
{
	switch ((enum jbind_type)f->type) {
	case JBIND_BOOL:
		return !*(const bool *)p;
	case JBIND_INT:
	case JBIND_UINT:
		return !*(const uint64_t *)p;
	case JBIND_I32:
	case JBIND_U32:
		return !*(const uint32_t *)p;
	case JBIND_STR:
	case JBIND_PTR:
	case JBIND_RAW:
		return !*(void *const *)p;
	case JBIND_LIST:
	case JBIND_STRS:
	case JBIND_NUMS:
	case JBIND_MAP:
	case JBIND_KEYS:
		return !((const struct list *)p)->n;
	case JBIND_OPTINT:
		return !((const struct jbind_optint *)p)->set;
	case JBIND_ENUM:
		return !f->names[*(const int *)p][0];
	case JBIND_OBJ:
		for (const struct jbind_field *s = f->sub->fields; s->key; s++)
			if (!is_empty(s, (const char *)p + s->off))
				return false;
		return true;
	}
	return false;
}

static void write_strs(const struct strs *l, bool keys, struct buf *out)
{
	buf_puts(out, keys ? "{" : "[");
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(out, i ? "," : "");
		json_quote(out, l->v[i]);
		buf_puts(out, keys ? ":{}" : "");
	}
	buf_puts(out, keys ? "}" : "]");
}

static void write_nums(const struct jbind_nums *l, struct buf *out)
{
	buf_puts(out, "[");
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, "%s%" PRId64, i ? "," : "", l->v[i]);
	buf_puts(out, "]");
}

static void write_map(const struct jbind_map *m, struct buf *out)
{
	buf_puts(out, "{");
	for (size_t i = 0; i < m->n; i++) {
		buf_puts(out, i ? "," : "");
		json_quote(out, m->v[i].key);
		buf_puts(out, ":");
		json_quote(out, m->v[i].value);
	}
	buf_puts(out, "}");
}

static void write_list(const struct jbind_field *f, const struct list *l, struct buf *out)
{
	buf_puts(out, "[");
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(out, i ? "," : "");
		jbind_write(f->sub, l->v + i * f->sub->size, out);
	}
	buf_puts(out, "]");
}

static void write_field(const struct jbind_field *f, const void *p, struct buf *out)
{
	switch ((enum jbind_type)f->type) {
	case JBIND_STR:
		json_quote(out, *(const char *const *)p);
		return;
	case JBIND_RAW:
		buf_puts(out, *(const char *const *)p ? *(const char *const *)p : "null");
		return;
	case JBIND_BOOL:
		buf_puts(out, *(const bool *)p ? "true" : "false");
		return;
	case JBIND_INT:
		buf_printf(out, "%" PRId64, *(const int64_t *)p);
		return;
	case JBIND_OPTINT:
		buf_printf(out, "%" PRId64, ((const struct jbind_optint *)p)->v);
		return;
	case JBIND_UINT:
		buf_printf(out, "%" PRIu64, *(const uint64_t *)p);
		return;
	case JBIND_I32:
		buf_printf(out, "%" PRId32, *(const int32_t *)p);
		return;
	case JBIND_U32:
		buf_printf(out, "%" PRIu32, *(const uint32_t *)p);
		return;
	case JBIND_ENUM:
		json_quote(out, f->names[*(const int *)p]);
		return;
	case JBIND_OBJ:
		jbind_write(f->sub, p, out);
		return;
	case JBIND_PTR:
		if (*(const void *const *)p)
			jbind_write(f->sub, *(const void *const *)p, out);
		else
			buf_puts(out, "null");
		return;
	case JBIND_LIST:
		write_list(f, p, out);
		return;
	case JBIND_STRS:
	case JBIND_KEYS:
		write_strs(p, f->type == JBIND_KEYS, out);
		return;
	case JBIND_NUMS:
		write_nums(p, out);
		return;
	case JBIND_MAP:
		write_map(p, out);
		return;
	}
}

void jbind_write(const struct jbind *t, const void *in, struct buf *out)
{
	const char *sep = "";

	buf_puts(out, "{");
	for (const struct jbind_field *f = t->fields; f->key; f++) {
		const void *p = (const char *)in + f->off;

		if (!(f->flags & JBIND_KEEP) && is_empty(f, p))
			continue;
		buf_puts(out, sep);
		json_quote(out, f->key);
		buf_puts(out, ":");
		write_field(f, p, out);
		sep = ",";
	}
	buf_puts(out, "}");
}

const char *jbind_lookup(const struct jbind_map *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++)
		if (streq(m->v[i].key, key))
			return m->v[i].value;
	return NULL;
}

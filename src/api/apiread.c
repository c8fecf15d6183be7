/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiread.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <string.h>

/* ---- members that say nothing ---- */

static int one_member(const char *key, struct json *value, void *arg)
{
	return apiread_nothing(value) ? 0 : -1;
}

bool apiread_nothing(const struct json *j)
{
	auto_buf struct buf b = BUF_INIT(16);

	if (!j)
		return true;
	if (json_is_object(j))
		return json_each(j, one_member, NULL) == 0;
	if (json_is_array(j)) {
		for (size_t i = 0; i < json_length(j); i++)
			if (!apiread_nothing(json_at(j, i)))
				return false;
		return true;
	}
	json_dump(j, &b);
	return streq(b.p, "false") || streq(b.p, "0") || streq(b.p, "\"\"") || streq(b.p, "null");
}

struct known {
	const struct jbind *t;
	const char *where;
	struct arena *a;
	struct err *e;
};

static int check_known(const struct jbind *t, struct json *j, struct arena *a, const char *where,
		       struct err *e);

static int inside(const struct jbind_field *f, struct json *value, const struct known *k)
{
	const char *where = arena_printf(k->a, "%s%s.", k->where, f->key);
	int r = 0;

	if (!f->sub)
		return 0;
	if (f->type != JBIND_LIST)
		return check_known(f->sub, value, k->a, where, k->e);
	for (size_t i = 0; r == 0 && json_is_array(value) && i < json_length(value); i++)
		r = check_known(f->sub, json_at(value, i), k->a, where, k->e);
	return r;
}

static int known_member(const char *key, struct json *value, void *arg)
{
	const struct known *k = arg;

	for (const struct jbind_field *f = k->t->fields; f->key; f++)
		if (streq(f->key, key))
			return inside(f, value, k);
	return apiread_nothing(value)
		   ? 0
		   : err_set(k->e, ERR_UNSUPPORTED, "%s%.60s is not possible here, or not known",
			     k->where, key);
}

/* What is no object is jbind_read()'s to refuse. */
static int check_known(const struct jbind *t, struct json *j, struct arena *a, const char *where,
		       struct err *e)
{
	struct known k = {t, where, a, e};

	return json_is_object(j) ? json_each(j, known_member, &k) : 0;
}

/* ---- reading ---- */

/* What a client sent is its mistake, not damage of ours. */
static int blame(int r, struct err *e)
{
	if (r < 0 && e && e->kind == ERR_CORRUPT)
		e->kind = ERR_USAGE;
	return r;
}

int apiread_parse(const char *text, size_t len, struct json **out, struct err *e)
{
	return blame(json_parse(text, len, "body", out, e), e);
}

int apiread_table(const struct jbind *t, struct json *j, void *out, struct arena *a,
		  const char *where, struct err *e)
{
	int r;

	if (!j)
		return 0;
	if (!json_is_object(j))
		return err_set(e, ERR_USAGE, "%s is no object", *where ? where : "the body");
	r = check_known(t, j, a, where, e);
	return r < 0 ? r : blame(jbind_read(t, j, out, a, *where ? where : "body", e), e);
}

int apiread_body(const struct jbind *t, const char *text, size_t len, void *out, struct arena *a,
		 struct err *e)
{
	auto_json struct json *j = NULL;
	int r = apiread_parse(text, len, &j, e);

	return r < 0 ? r : apiread_table(t, j, out, a, "", e);
}

int apiread_each(const char *json, const char *what,
		 int (*fn)(const char *key, struct json *v, void *arg), void *arg, struct err *e)
{
	auto_json struct json *j = NULL;
	int r = json ? json_parse(json, strlen(json), what, &j, e) : 0;

	if (r < 0 || !j)
		return r;
	if (!json_is_object(j))
		return err_set(e, ERR_USAGE, "%s is no object", what);
	return json_each(j, fn, arg);
}

void apiread_pairs(const struct jbind_map *m, struct arena *a, struct strs *out)
{
	for (size_t i = 0; i < m->n; i++)
		arena_strs_add(a, out, arena_printf(a, "%s=%s", m->v[i].key, m->v[i].value));
}

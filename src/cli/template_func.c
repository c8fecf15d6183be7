/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template_func.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/template_expr.h"
#include "fmt/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define MADE_MAX (8u << 20)
#define PAD_MAX	 1024

typedef int func(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out);

static const char *text(struct template_run *r, const struct template_value *v)
{
	return template_expr_text(r, v);
}

static int give(struct template_value *out, const char *s)
{
	*out = (struct template_value){.kind = TEMPLATE_TEXT, .text = s};
	return 0;
}

static int truth(struct template_value *out, bool yes)
{
	*out = (struct template_value){.kind = TEMPLATE_TRUTH, .text = yes ? "true" : "false"};
	return 0;
}

/* ---- texts ---- */

static int changed(struct template_run *r, const char *s, bool upper, struct template_value *out)
{
	char *t = arena_dup(r->a, s);

	for (char *c = t; *c; c++)
		*c = (char)(upper ? toupper((unsigned char)*c) : tolower((unsigned char)*c));
	return give(out, t);
}

static int do_upper(struct template_run *r, const struct template_value *v, size_t n,
		    struct template_value *out)
{
	(void)n;
	return changed(r, text(r, v), true, out);
}

static int do_lower(struct template_run *r, const struct template_value *v, size_t n,
		    struct template_value *out)
{
	(void)n;
	return changed(r, text(r, v), false, out);
}

static int do_title(struct template_run *r, const struct template_value *v, size_t n,
		    struct template_value *out)
{
	char *t = arena_dup(r->a, text(r, v));

	(void)n;
	for (char *c = t; *c; c++)
		if (c == t || isspace((unsigned char)c[-1]))
			*c = (char)toupper((unsigned char)*c);
	return give(out, t);
}

static long whole(struct template_run *r, const struct template_value *v)
{
	return strtol(text(r, v), NULL, 10);
}

/* pad TEXT BEFORE BEHIND: blanks around what is not empty. */
static int do_pad(struct template_run *r, const struct template_value *v, size_t n,
		  struct template_value *out)
{
	long before = whole(r, &v[1]), behind = whole(r, &v[2]);
	const char *s = text(r, v);

	(void)n;
	if (before < 0 || behind < 0 || before > PAD_MAX || behind > PAD_MAX)
		return err_set(r->e, ERR_USAGE, "template: pad takes 0 to %d blanks", PAD_MAX);
	return give(out,
		    *s ? arena_printf(r->a, "%*s%s%*s", (int)before, "", s, (int)behind, "") : s);
}

/* truncate TEXT N: its first N characters. */
static int do_truncate(struct template_run *r, const struct template_value *v, size_t n,
		       struct template_value *out)
{
	const char *s = text(r, v);
	long left = whole(r, &v[1]);
	size_t len = 0;

	(void)n;
	for (; s[len]; len++)
		if (((unsigned char)s[len] & 0xc0) != 0x80 && left-- <= 0)
			break;
	return give(out, arena_dupn(r->a, s, len));
}

static int do_print(struct template_run *r, const struct template_value *v, size_t n,
		    struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(MADE_MAX);

	/* Go puts a blank between two of which neither is a text. */
	for (size_t i = 0; i < n; i++) {
		bool blank = i && v[i].kind != TEMPLATE_TEXT && v[i - 1].kind != TEMPLATE_TEXT;

		buf_printf(&b, "%s%s", blank ? " " : "", text(r, &v[i]));
	}
	return give(out, arena_dup(r->a, b.p));
}

static int do_println(struct template_run *r, const struct template_value *v, size_t n,
		      struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(MADE_MAX);

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", text(r, &v[i]));
	buf_puts(&b, "\n");
	return give(out, arena_dup(r->a, b.p));
}

/* One "%..." of a format; *p is behind the '%'.  The verbs that make sense of texts. */
static bool verb(struct template_run *r, const char **p, const struct template_value *v,
		 struct buf *b)
{
	bool left = **p == '-';
	const char *s = text(r, v);
	size_t width = 0, len = strlen(s);

	for (*p += left; isdigit((unsigned char)**p) && width <= PAD_MAX; ++*p)
		width = width * 10 + (size_t)(**p - '0');
	if (!**p || !strchr("sdvqt", **p) || width > PAD_MAX)
		return false;
	width = width > len ? width - len : 0;
	if (!left)
		buf_printf(b, "%*s", (int)width, "");
	if (**p == 'q')
		json_quote(b, s);
	else
		buf_puts(b, s);
	if (left)
		buf_printf(b, "%*s", (int)width, "");
	++*p;
	return true;
}

static int do_printf(struct template_run *r, const struct template_value *v, size_t n,
		     struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(MADE_MAX);
	size_t i = 1;

	for (const char *p = text(r, v); *p;) {
		if (*p != '%') {
			buf_add(&b, p++, 1);
		} else if (p[1] == '%') {
			buf_puts(&b, "%");
			p += 2;
		} else if (p++, i == n || !verb(r, &p, &v[i++], &b)) {
			return err_set(
			    r->e, ERR_USAGE,
			    "template: printf knows %%s %%d %%v %%q %%t, one value each, "
			    "not '%%%.20s'",
			    p);
		}
	}
	return give(out, arena_dup(r->a, b.p));
}

/* ---- JSON and lists ---- */

static int do_json(struct template_run *r, const struct template_value *v, size_t n,
		   struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(MADE_MAX);

	(void)n;
	if (v->kind == TEMPLATE_JSON || v->kind == TEMPLATE_NONE)
		json_dump(v->j, &b);
	else if (v->kind == TEMPLATE_TEXT)
		json_quote(&b, v->text);
	else
		buf_puts(&b, v->text);
	return give(out, arena_dup(r->a, b.p));
}

static int do_join(struct template_run *r, const struct template_value *v, size_t n,
		   struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(MADE_MAX);
	const char *sep = text(r, &v[1]);
	const struct json *list = v->kind == TEMPLATE_JSON ? v->j : NULL;

	(void)n;
	for (size_t i = 0; i < json_length(list) && json_is_array(list); i++) {
		struct template_value m = {.kind = TEMPLATE_JSON, .j = json_at(list, i)};

		buf_printf(&b, "%s%s", i ? sep : "", text(r, &m));
	}
	return give(out, arena_dup(r->a, b.p));
}

static int do_split(struct template_run *r, const struct template_value *v, size_t n,
		    struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(MADE_MAX);
	const char *s = text(r, v), *sep = text(r, &v[1]);
	struct template_owned *own = arena_alloc(r->a, sizeof(*own));
	int ret;

	(void)n;
	buf_puts(&b, "[");
	while (*sep) {
		const char *next = strstr(s, sep);

		if (!next)
			break;
		json_quote(&b, arena_dupn(r->a, s, (size_t)(next - s)));
		buf_puts(&b, ",");
		s = next + strlen(sep);
	}
	json_quote(&b, s);
	buf_puts(&b, "]");
	ret = buf_fail(&b, "template: split", r->e);
	if (ret == 0)
		ret = json_parse(b.p, b.len, "template: split", &own->j, r->e);
	if (ret < 0)
		return ret;
	own->next = r->owned;
	r->owned = own;
	*out = (struct template_value){.kind = TEMPLATE_JSON, .j = own->j};
	return 0;
}

static int do_len(struct template_run *r, const struct template_value *v, size_t n,
		  struct template_value *out)
{
	const char *s = v->kind == TEMPLATE_JSON ? json_string(v->j) : v->text;
	size_t len = s ? strlen(s) : v->kind == TEMPLATE_JSON ? json_length(v->j) : 0;

	(void)n;
	*out = (struct template_value){.kind = TEMPLATE_NUMBER,
				       .text = arena_printf(r->a, "%zu", len)};
	return 0;
}

static int index_one(struct template_run *r, const struct template_value *in,
		     const struct template_value *key, struct template_value *out)
{
	const struct json *j = in->kind == TEMPLATE_JSON ? in->j : NULL;
	const char *k = text(r, key);

	if (json_is_array(j)) {
		char *end;
		unsigned long i = strtoul(k, &end, 10);

		/* Go stops here, too: a list that is shorter than one thinks is a mistake. */
		if (*end || end == k || *k == '-' || i >= json_length(j))
			return err_set(r->e, ERR_USAGE, "template: index out of range: %.40s", k);
		*out = (struct template_value){.kind = TEMPLATE_JSON, .j = json_at(j, i)};
		return 0;
	}
	if (!json_is_object(j)) {
		if (in->kind == TEMPLATE_JSON && !in->j)
			return err_set(r->e, ERR_USAGE, "template: index of nothing: %.40s", k);
		return err_set(r->e, ERR_USAGE, "template: index of what is no list or map: %.40s",
			       k);
	}
	/* An absent key of a map of texts is the empty text, as in Go. */
	*out = (struct template_value){.kind = TEMPLATE_JSON, .j = json_member(j, k)};
	return out->j ? 0 : give(out, "");
}

static int do_index(struct template_run *r, const struct template_value *v, size_t n,
		    struct template_value *out)
{
	int ret = 0;

	*out = v[0];
	for (size_t i = 1; ret == 0 && i < n; i++) {
		struct template_value in = *out;

		ret = index_one(r, &in, &v[i], out);
	}
	return ret;
}

/* ---- truths ---- */

static int do_not(struct template_run *r, const struct template_value *v, size_t n,
		  struct template_value *out)
{
	(void)n;
	return truth(out, !template_expr_truth(r, v));
}

/* The first that decides, or the last. */
static int decide(struct template_run *r, const struct template_value *v, size_t n, bool stop_at,
		  struct template_value *out)
{
	size_t i = 0;

	while (i + 1 < n && template_expr_truth(r, &v[i]) != stop_at)
		i++;
	*out = v[i];
	return 0;
}

static int do_and(struct template_run *r, const struct template_value *v, size_t n,
		  struct template_value *out)
{
	return decide(r, v, n, false, out);
}

static int do_or(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	return decide(r, v, n, true, out);
}

static int compare(struct template_run *r, const struct template_value *a,
		   const struct template_value *b)
{
	const char *x = text(r, a), *y = text(r, b);
	char *xe, *ye;
	double p = strtod(x, &xe), q = strtod(y, &ye);

	if (*x && *y && !*xe && !*ye)
		return (p > q) - (p < q);
	return strcmp(x, y);
}

/* eq A B C: A is one of them. */
static int do_eq(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	bool any = false;

	for (size_t i = 1; i < n; i++)
		any |= compare(r, &v[0], &v[i]) == 0;
	return truth(out, any);
}

static int do_ne(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	(void)n;
	return truth(out, compare(r, &v[0], &v[1]) != 0);
}

static int do_lt(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	(void)n;
	return truth(out, compare(r, &v[0], &v[1]) < 0);
}

static int do_le(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	(void)n;
	return truth(out, compare(r, &v[0], &v[1]) <= 0);
}

static int do_gt(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	(void)n;
	return truth(out, compare(r, &v[0], &v[1]) > 0);
}

static int do_ge(struct template_run *r, const struct template_value *v, size_t n,
		 struct template_value *out)
{
	(void)n;
	return truth(out, compare(r, &v[0], &v[1]) >= 0);
}

int template_func(struct template_run *r, const char *name, const struct template_value *v,
		  size_t n, struct template_value *out)
{
	enum { ANY = 99 };
	static const struct {
		const char *name;
		size_t least, most;
		func *fn;
	} table[] = {
	    {"and", 1, ANY, do_and},
	    {"eq", 2, ANY, do_eq},
	    {"ge", 2, 2, do_ge},
	    {"gt", 2, 2, do_gt},
	    {"index", 1, ANY, do_index},
	    {"join", 2, 2, do_join},
	    {"json", 1, 1, do_json},
	    {"le", 2, 2, do_le},
	    {"len", 1, 1, do_len},
	    {"lower", 1, 1, do_lower},
	    {"lt", 2, 2, do_lt},
	    {"ne", 2, 2, do_ne},
	    {"not", 1, 1, do_not},
	    {"or", 1, ANY, do_or},
	    {"pad", 3, 3, do_pad},
	    {"print", 0, ANY, do_print},
	    {"printf", 1, ANY, do_printf},
	    {"println", 0, ANY, do_println},
	    {"split", 2, 2, do_split},
	    {"title", 1, 1, do_title},
	    {"truncate", 2, 2, do_truncate},
	    {"upper", 1, 1, do_upper},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (streq(table[i].name, name) && n >= table[i].least && n <= table[i].most)
			return table[i].fn(r, v, n, out);
	return -ENOSYS;
}

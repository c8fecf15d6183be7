/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text is walked once: literal bytes are copied, an action {{...}} is done at once.  A block
 * (range, if, with) is run by walking its body, found by counting nested blocks, as often as
 * needed.  Depth is bounded, and so is the output by its buffer.
 */
#include "cli/template.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/template_expr.h"
#include "engine/members.h"
#include "fmt/json.h"
#include "fmt/utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define WALKS_MAX 1000000

struct run {
	struct template_run x;
	struct buf *out;
	int walks;
};

/* ---- actions ---- */

struct action {
	const char *begin, *end; /* of "{{...}}" in the text, with what it trims */
	const char *p, *p_end;	 /* inside, without blanks around */
};

/* The "}}" of an action; one inside a text is none. */
static const char *find_close(const char *p, const char *end)
{
	for (; p + 1 < end; p++) {
		if (*p == '"' || *p == '`') {
			char quote = *p++;

			while (p < end && *p != quote)
				p += *p == '\\' && quote == '"' ? 2 : 1;
			if (p >= end)
				return NULL;
		} else if (p[0] == '}' && p[1] == '}') {
			return p;
		}
	}
	return NULL;
}

static int next_action(struct run *r, const char *at, const char *end, struct action *a)
{
	const char *open = memmem(at, (size_t)(end - at), "{{", 2), *close;

	if (!open)
		return 0;
	close = find_close(open + 2, end);
	if (!close)
		return template_expr_bad(&r->x, open,
					 memmem(open, (size_t)(end - open), "}}", 2) ?: end);
	*a = (struct action){.begin = open, .end = close + 2, .p = open + 2, .p_end = close};
	/* {{- trims what is before, -}} what is behind. */
	if (a->p_end - a->p > 1 && a->p[0] == '-' && isspace((unsigned char)a->p[1])) {
		a->p++;
		while (a->begin > at && isspace((unsigned char)a->begin[-1]))
			a->begin--;
	}
	if (a->p_end - a->p > 1 && a->p_end[-1] == '-' && isspace((unsigned char)a->p_end[-2])) {
		a->p_end--;
		while (a->end < end && isspace((unsigned char)*a->end))
			a->end++;
	}
	while (a->p < a->p_end && isspace((unsigned char)*a->p))
		a->p++;
	while (a->p < a->p_end && isspace((unsigned char)a->p_end[-1]))
		a->p_end--;
	return 1;
}

/* The rest behind a keyword, or NULL. */
static const char *after_word(const char *p, const char *end, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - p) < n || memcmp(p, word, n) != 0)
		return NULL;
	p += n;
	if (p < end && !isspace((unsigned char)*p) && *p != '(')
		return NULL;
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

static bool opens(const struct action *a)
{
	return after_word(a->p, a->p_end, "range") || after_word(a->p, a->p_end, "if") ||
	       after_word(a->p, a->p_end, "with");
}

struct block {
	const char *body, *body_end;   /* up to the first {{else}} or {{end}} */
	const char *other, *other_end; /* from the action {{else ...}} on, or NULL */
	const char *end;	       /* behind {{end}} */
};

static int find_block(struct run *r, const char *at, const char *end, struct block *b)
{
	struct action a;
	size_t depth = 0;
	int ret;

	*b = (struct block){.body = at};
	while ((ret = next_action(r, at, end, &a)) > 0) {
		at = a.end;
		if (opens(&a)) {
			depth++;
		} else if (after_word(a.p, a.p_end, "else") && !depth && !b->other) {
			b->body_end = a.begin;
			b->other = a.begin;
		} else if (after_word(a.p, a.p_end, "end") == a.p_end && !depth--) {
			*(b->other ? &b->other_end : &b->body_end) = a.begin;
			b->end = a.end;
			return 0;
		}
	}
	return ret < 0 ? ret : err_set(r->x.e, ERR_USAGE, "template: a block without {{end}}");
}

/* ---- blocks ---- */

static int walk(struct run *r, const char *at, const char *end, struct template_scope s, int depth);
static int block(struct run *r, const char *p, const char *p_end, const struct block *b,
		 struct template_scope s, int depth);

/* What stands behind {{else}}; {{else if X}} is a block without an end of its own. */
static int otherwise(struct run *r, const struct block *b, struct template_scope s, int depth)
{
	struct action a;
	const char *rest, *rest_end, *at;
	struct block inner;
	size_t nested = 0;
	int ret;

	if (!b->other)
		return 0;
	if (next_action(r, b->other, b->other_end, &a) <= 0)
		return template_expr_bad(&r->x, b->other, b->other_end);
	rest = after_word(a.p, a.p_end, "else");
	rest_end = a.p_end;
	if (rest == a.p_end)
		return walk(r, a.end, b->other_end, s, depth + 1);
	if (!after_word(rest, a.p_end, "if") && !after_word(rest, a.p_end, "with"))
		return template_expr_bad(&r->x, a.begin, a.end);
	inner = (struct block){.body = a.end, .body_end = b->other_end};
	/* Its own {{else}} is the next one of this depth. */
	at = a.end;
	while ((ret = next_action(r, at, b->other_end, &a)) > 0) {
		at = a.end;
		if (opens(&a))
			nested++;
		else if (after_word(a.p, a.p_end, "end") == a.p_end)
			nested--;
		else if (after_word(a.p, a.p_end, "else") && !nested)
			break;
	}
	if (ret > 0) {
		inner.body_end = inner.other = a.begin;
		inner.other_end = b->other_end;
	}
	return ret < 0 ? ret : block(r, rest, rest_end, &inner, s, depth + 1);
}

/* The whole of [p, p_end) as one expression. */
static int whole(struct run *r, const char *p, const char *p_end, const struct template_scope *s,
		 struct template_value *out)
{
	const char *at = p;
	int ret = template_expr(&r->x, &at, p_end, s, out);

	while (ret == 0 && at < p_end && isspace((unsigned char)*at))
		at++;
	return ret == 0 && at < p_end ? template_expr_bad(&r->x, at, p_end) : ret;
}

struct name {
	const char *p;
	size_t n;
};

/* "$x" at *p. */
static bool name_at(const char **p, const char *end, struct name *out)
{
	const char *at = *p;

	if (at == end || *at != '$')
		return false;
	for (at++; at < end && (isalnum((unsigned char)*at) || *at == '_'); at++)
		;
	*out = (struct name){*p, (size_t)(at - *p)};
	while (at < end && isspace((unsigned char)*at))
		at++;
	*p = at;
	return out->n > 1;
}

/* "$v :=" or "$k, $v :="; *p is left behind it, or where it was. */
static size_t definition(const char **p, const char *end, struct name names[2])
{
	const char *at = *p;
	size_t n = 0;

	while (n < 2 && name_at(&at, end, &names[n])) {
		n++;
		if (at == end || *at != ',')
			break;
		for (at++; at < end && isspace((unsigned char)*at); at++)
			;
	}
	if (!n || end - at < 2 || at[0] != ':' || at[1] != '=')
		return 0;
	*p = at + 2;
	return n;
}

static struct template_var bind(const struct name *n, struct template_value v,
				const struct template_var *up)
{
	return (struct template_var){.name = n->p, .len = n->n, .v = v, .up = up};
}

struct each {
	struct run *r;
	const struct block *b;
	struct name names[2];
	size_t n;
	struct template_scope s;
	int depth;
};

static int one_turn(struct each *x, struct template_value key, const struct json *j)
{
	struct template_value v = {.kind = TEMPLATE_JSON, .j = j};
	struct template_var k = {.up = x->s.vars}, w = {.up = x->s.vars};
	struct template_scope s = {.dot = v, .vars = x->s.vars};

	if (x->n == 2)
		k = bind(&x->names[0], key, x->s.vars);
	if (x->n)
		w = bind(&x->names[x->n - 1], v, x->n == 2 ? &k : x->s.vars);
	if (x->n)
		s.vars = &w;
	return walk(x->r, x->b->body, x->b->body_end, s, x->depth + 1);
}

static int member_turn(const char *key, struct json *v, void *arg)
{
	return one_turn(arg, (struct template_value){.kind = TEMPLATE_TEXT, .text = key}, v);
}

static int range(struct run *r, const char *p, const char *p_end, const struct block *b,
		 struct template_scope s, int depth)
{
	struct each x = {.r = r, .b = b, .s = s, .depth = depth};
	struct template_value v;
	int ret;

	x.n = definition(&p, p_end, x.names);
	ret = whole(r, p, p_end, &s, &v);
	if (ret < 0)
		return ret;
	if (v.kind != TEMPLATE_JSON || !json_length(v.j))
		return otherwise(r, b, s, depth);
	if (json_is_object(v.j))
		return json_each(v.j, member_turn, &x);
	for (size_t i = 0; ret == 0 && i < json_length(v.j); i++)
		ret = one_turn(&x,
			       (struct template_value){.kind = TEMPLATE_NUMBER,
						       .text = arena_printf(r->x.a, "%zu", i)},
			       json_at(v.j, i));
	return ret;
}

/* [p, p_end): "if X", "with X" or "range X". */
static int block(struct run *r, const char *p, const char *p_end, const struct block *b,
		 struct template_scope s, int depth)
{
	const char *with = after_word(p, p_end, "with"), *rest = after_word(p, p_end, "range");
	struct template_scope inside = s;
	struct template_value v;
	struct template_var w;
	struct name names[2];
	size_t n;
	int ret;

	if (rest)
		return range(r, rest, p_end, b, s, depth);
	rest = with ? with : after_word(p, p_end, "if");
	n = definition(&rest, p_end, names);
	if (n > 1)
		return template_expr_bad(&r->x, p, p_end);
	ret = whole(r, rest, p_end, &s, &v);
	if (ret < 0)
		return ret;
	if (!template_expr_truth(&r->x, &v))
		return otherwise(r, b, s, depth);
	if (n) {
		w = bind(&names[0], v, s.vars);
		inside.vars = &w;
	}
	if (with)
		inside.dot = v;
	return walk(r, b->body, b->body_end, inside, depth + 1);
}

/* ---- the text ---- */

static void literal(struct buf *out, const char *p, const char *end)
{
	for (; p < end; p++)
		if (*p == '\\' && p + 1 < end && (p[1] == 't' || p[1] == 'n')) {
			buf_puts(out, p[1] == 't' ? "\t" : "\n");
			p++;
		} else {
			buf_add(out, p, 1);
		}
}

/* "$x := EXPRESSION" adds a variable for what follows; an expression alone is printed. */
static int simple(struct run *r, const struct action *a, struct template_scope *s)
{
	struct template_value v;
	struct name names[2];
	const char *p = a->p;
	size_t n;
	int ret;

	if (a->p_end - a->p >= 4 && memcmp(a->p, "/*", 2) == 0 &&
	    memcmp(a->p_end - 2, "*/", 2) == 0)
		return 0;
	if (a->p == a->p_end)
		return template_expr_bad(&r->x, a->begin, a->end);
	n = definition(&p, a->p_end, names);
	if (n > 1)
		return template_expr_bad(&r->x, a->p, a->p_end);
	ret = whole(r, p, a->p_end, s, &v);
	if (ret < 0)
		return ret;
	if (n) {
		struct template_var *var = arena_alloc(r->x.a, sizeof(*var));

		*var = bind(&names[0], v, s->vars);
		s->vars = var;
	} else {
		buf_puts(r->out, template_expr_text(&r->x, &v));
	}
	return 0;
}

static int walk(struct run *r, const char *at, const char *end, struct template_scope s, int depth)
{
	struct action a;
	struct block b;
	int ret;

	if (depth > DEPTH_MAX)
		return err_set(r->x.e, ERR_LIMIT, "template: more than %d blocks in each other",
			       DEPTH_MAX);
	/* Ranges in ranges of long lists would go on for hours. */
	if (++r->walks > WALKS_MAX)
		return err_set(r->x.e, ERR_LIMIT, "template: more than %d turns", WALKS_MAX);
	while ((ret = next_action(r, at, end, &a)) > 0) {
		literal(r->out, at, a.begin);
		at = a.end;
		if (opens(&a)) {
			ret = find_block(r, at, end, &b);
			if (ret == 0)
				ret = block(r, a.p, a.p_end, &b, s, depth);
			at = b.end;
		} else {
			ret = simple(r, &a, &s);
		}
		if (ret < 0)
			return ret;
		/* What does not fit any more need not be made. */
		if (r->out->failed)
			return buf_fail(r->out, "template", r->x.e);
	}
	if (ret == 0)
		literal(r->out, at, end);
	return ret;
}

int template_print(const char *t, const struct json *j, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct run r = {.out = out, .x = {.a = &a, .e = e, .root = j}};
	struct template_scope s = {.dot = {.kind = TEMPLATE_JSON, .j = j}};
	int ret = walk(&r, t, t + strlen(t), s, 0);

	for (struct template_owned *o = r.x.owned; o; o = o->next)
		json_free(o->j);
	return ret;
}

int template_row(const char *text, const struct buf *row, struct buf *out, struct err *e)
{
	auto_buf struct buf line = BUF_INIT(row->max);
	auto_json struct json *j = NULL;
	int r = json_parse(row->p, row->len, "row", &j, e);

	if (r == 0)
		r = template_print(text, j, &line, e);
	if (r < 0)
		return r;
	for (char *p = line.p, *cell; (cell = strsep(&p, "\t"));) {
		utf8_visible(out, cell);
		buf_puts(out, p ? "\t" : "\n");
	}
	return 0;
}

const char *template_table(const char *format)
{
	const char *rest = str_after(format, "table");

	return rest && (!*rest || isspace((unsigned char)*rest)) ? rest + strspn(rest, " ") : NULL;
}

void template_label(const char *text, const struct strs *labels, struct buf *row)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(row->max);
	struct members w = {.b = &b};

	if (!strstr(text, ".Label "))
		return;
	buf_puts(&b, "{");
	members_map(&w, "Label", labels, &a);
	row->len--;
	buf_printf(row, ",%s}", b.p + 1);
}

/* Docker's: the last part of the label's name, in words. */
static void label_head(const char *dot, const char *close, struct buf *out)
{
	const char *from = memchr(dot, '"', (size_t)(close - dot)), *end, *last;

	end = from ? memchr(from + 1, '"', (size_t)(close - from - 1)) : NULL;
	if (!end)
		return;
	last = memrchr(from, '.', (size_t)(end - from));
	for (const char *p = (last ? last : from) + 1; p < end; p++)
		buf_puts(out, strchr("-_", *p) ? " " : (char[]){*p, '\0'});
}

void template_head(const char *t, const char *const (*heads)[2], struct buf *out)
{
	const char *at = t, *open;

	while ((open = strstr(at, "{{"))) {
		const char *close = strstr(open, "}}"), *dot = strchr(open, '.');
		size_t n =
		    dot ? strspn(dot + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
			: 0;

		if (!close)
			break;
		literal(out, at, open);
		if (dot && dot < close && n == 5 && strncmp(dot + 1, "Label", n) == 0)
			label_head(dot, close, out);
		for (size_t i = 0; dot && dot < close && heads[i][0]; i++)
			if (strlen(heads[i][0]) == n && strncmp(heads[i][0], dot + 1, n) == 0)
				buf_puts(out, heads[i][1]);
		at = close + 2;
	}
	literal(out, at, at + strlen(at));
	buf_puts(out, "\n");
}

/* Columns on a terminal: UTF-8 continuation bytes take no place. */
static size_t width(const char *s, size_t n)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i++)
		w += ((unsigned char)s[i] & 0xc0) != 0x80;
	return w;
}

#define COLUMNS_MAX 32

void template_align(const struct buf *lines, struct buf *out)
{
	size_t widths[COLUMNS_MAX] = {0}, col = 0;

	for (const char *p = lines->p; *p;) {
		size_t n = strcspn(p, "\t\n");

		if (p[n] == '\t' && col < COLUMNS_MAX) {
			size_t w = width(p, n);

			widths[col] = w > widths[col] ? w : widths[col];
		}
		col = p[n] == '\t' ? col + 1 : 0;
		p += n + (p[n] != '\0');
	}
	col = 0;
	for (const char *p = lines->p; *p;) {
		size_t n = strcspn(p, "\t\n");

		buf_add(out, p, n);
		if (p[n] == '\t' && col < COLUMNS_MAX)
			buf_printf(out, "%*s", (int)(widths[col] - width(p, n)) + 3, "");
		else if (p[n])
			buf_puts(out, "\n");
		col = p[n] == '\t' ? col + 1 : 0;
		p += n + (p[n] != '\0');
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text is walked once: literal bytes are copied, an action {{...}} is split into words and done
 * at once.  A block (range, if, with) is run by walking its body, found by counting nested blocks,
 * as often as needed.  Depth is bounded, and so is the output by its buffer.
 */
#include "cli/template.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define WORDS_MAX 16

struct var {
	const char *name; /* "$k" */
	size_t len;
	const struct json *value;
	const char *text; /* a key, which is no JSON value */
	const struct var *up;
};

struct run {
	struct buf *out;
	struct arena *a;
	struct err *e;
	const struct json *root;
};

/* What an expression gives: a JSON value (NULL: none) or a text of our own. */
struct val {
	const struct json *j;
	const char *text;
	bool none;
};

struct word {
	const char *p;
	size_t n;
};

static bool is(const struct word *w, const char *s)
{
	return w->n == strlen(s) && memcmp(w->p, s, w->n) == 0;
}

static int bad(struct run *r, const char *at, size_t n)
{
	return err_set(r->e, ERR_USAGE, "template: cannot understand '%.*s'", n > 80 ? 80 : (int)n,
		       at);
}

/* ---- values ---- */

static const char *text_of(struct run *r, const struct val *v);

struct printing {
	struct run *r;
	struct buf *b;
};

static int print_member(const char *key, struct json *value, void *arg)
{
	struct printing *p = arg;
	struct val m = {.j = value};

	buf_printf(p->b, "%s%s:%s", p->b->len > 4 ? " " : "", key, text_of(p->r, &m));
	return 0;
}

static const char *text_of(struct run *r, const struct val *v)
{
	auto_buf struct buf b = BUF_INIT(8 << 20);
	const char *s;

	if (v->text)
		return v->text;
	if (v->none)
		return "<no value>";
	s = json_string(v->j);
	if (s)
		return s;
	if (!v->j)
		return "<nil>";
	/* Lists and maps as Go prints them: [a b] and map[k:v]. */
	if (json_is_array(v->j)) {
		buf_puts(&b, "[");
		for (size_t i = 0; i < json_length(v->j); i++) {
			struct val m = {.j = json_at(v->j, i)};

			buf_printf(&b, "%s%s", i ? " " : "", text_of(r, &m));
		}
		buf_puts(&b, "]");
	} else if (json_is_object(v->j)) {
		struct printing p = {r, &b};

		buf_puts(&b, "map[");
		json_each(v->j, print_member, &p);
		buf_puts(&b, "]");
	} else {
		json_dump(v->j, &b);
	}
	return arena_dup(r->a, b.p);
}

static bool truth(struct run *r, const struct val *v)
{
	const char *s;

	if (v->text)
		return *v->text && !streq(v->text, "false");
	if (v->none || !v->j)
		return false;
	if (json_is_array(v->j) || json_is_object(v->j))
		return json_length(v->j) > 0;
	s = text_of(r, v);
	return *s && !streq(s, "false") && !streq(s, "0");
}

/* ".A.B" from v. */
static struct val path(const struct json *v, const char *p, size_t n, struct arena *a)
{
	while (n) {
		size_t k;
		char *key;

		if (*p != '.')
			return (struct val){.none = true};
		p++;
		n--;
		for (k = 0; k < n && p[k] != '.'; k++)
			;
		if (!k)
			break;
		key = arena_dupn(a, p, k);
		/* A member that is there and null is no "no value". */
		if (!json_is_object(v))
			return (struct val){.none = true};
		v = json_member(v, key);
		if (!v && n == k)
			return (struct val){.none = true};
		p += k;
		n -= k;
	}
	return (struct val){.j = v};
}

static const struct var *variable(const struct var *vars, const char *p, size_t n)
{
	for (; vars; vars = vars->up)
		if (vars->len == n && memcmp(vars->name, p, n) == 0)
			return vars;
	return NULL;
}

static int value(struct run *r, const struct word *w, const struct json *dot,
		 const struct var *vars, struct val *out)
{
	const char *p = w->p;
	size_t n;

	if (*p == '"' || *p == '`') {
		*out = (struct val){.text = arena_dupn(r->a, p + 1, w->n - 2)};
		return 0;
	}
	if (isdigit((unsigned char)*p) || is(w, "true") || is(w, "false")) {
		*out = (struct val){.text = arena_dupn(r->a, p, w->n)};
		return 0;
	}
	if (*p == '$') {
		const struct var *v;

		for (n = 1; n < w->n && p[n] != '.'; n++)
			;
		v = variable(vars, p, n);
		if (n == 1)
			*out = path(r->root, p + n, w->n - n, r->a);
		else if (v && v->text)
			*out = (struct val){.text = v->text};
		else if (v)
			*out = path(v->value, p + n, w->n - n, r->a);
		else
			return bad(r, w->p, w->n);
		return 0;
	}
	if (*p != '.')
		return bad(r, w->p, w->n);
	*out = path(dot, p, w->n, r->a);
	return 0;
}

/* ---- functions ---- */

static const char *changed(struct run *r, const char *s, int (*fn)(int), bool first_only)
{
	char *t = arena_dup(r->a, s);

	for (size_t i = 0; t[i] && (!first_only || !i); i++)
		t[i] = (char)fn((unsigned char)t[i]);
	return t;
}

static struct val text(const char *s)
{
	return (struct val){.text = s};
}

static struct val to_json(struct run *r, const struct val *v)
{
	auto_buf struct buf b = BUF_INIT(8 << 20);

	if (v->text)
		json_quote(&b, v->text);
	else
		json_dump(v->j, &b);
	return text(arena_dup(r->a, b.p));
}

static struct val at_index(struct run *r, const struct val *in, const char *key)
{
	const struct json *j;

	if (json_is_array(in->j)) {
		j = json_at(in->j, strtoul(key, NULL, 10));
		return (struct val){.j = j, .none = !j};
	}
	j = json_member(in->j, key);
	/* An absent key of a map of strings is the empty string, as in Go. */
	return j ? (struct val){.j = j} : text("");
}

static struct val joined(struct run *r, const struct val *in, const char *sep)
{
	auto_buf struct buf b = BUF_INIT(8 << 20);

	for (size_t i = 0; i < json_length(in->j); i++) {
		struct val m = {.j = json_at(in->j, i)};

		buf_printf(&b, "%s%s", i ? sep : "", text_of(r, &m));
	}
	return text(arena_dup(r->a, b.p));
}

static size_t length(const struct val *v)
{
	const char *s = v->text ? v->text : json_string(v->j);

	return s ? strlen(s) : json_length(v->j);
}

static int apply(struct run *r, const struct word *f, struct val *v, size_t n, struct val *out)
{
	if (n == 0)
		return bad(r, f->p, f->n);
	if (is(f, "json"))
		*out = to_json(r, &v[0]);
	else if (is(f, "upper"))
		*out = text(changed(r, text_of(r, &v[0]), toupper, false));
	else if (is(f, "lower"))
		*out = text(changed(r, text_of(r, &v[0]), tolower, false));
	else if (is(f, "title"))
		*out = text(changed(r, text_of(r, &v[0]), toupper, true));
	else if (is(f, "len"))
		*out = text(arena_printf(r->a, "%zu", length(&v[0])));
	else if (is(f, "print"))
		*out = text(text_of(r, &v[n - 1]));
	else if (is(f, "println"))
		*out = text(arena_printf(r->a, "%s\n", text_of(r, &v[0])));
	else if (is(f, "not"))
		*out = text(truth(r, &v[0]) ? "false" : "true");
	else if (n == 2 && is(f, "index"))
		*out = at_index(r, &v[0], text_of(r, &v[1]));
	else if (n == 2 && is(f, "join"))
		*out = joined(r, &v[0], text_of(r, &v[1]));
	else if (n == 2 && (is(f, "eq") || is(f, "ne")))
		*out = text(streq(text_of(r, &v[0]), text_of(r, &v[1])) == is(f, "eq") ? "true"
										       : "false");
	else
		return bad(r, f->p, f->n);
	return 0;
}

/* ---- expressions ---- */

static int split(struct run *r, const char *p, size_t n, struct word *w, size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < n;) {
		size_t from = i;

		if (isspace((unsigned char)p[i])) {
			i++;
			continue;
		}
		if (*count == WORDS_MAX)
			return bad(r, p, n);
		if (p[i] == '"' || p[i] == '`') {
			const char *close = memchr(p + i + 1, p[i], n - i - 1);

			if (!close)
				return bad(r, p, n);
			i = (size_t)(close - p) + 1;
		} else if (p[i] == '|' || p[i] == ',') {
			i++;
		} else {
			while (i < n && !isspace((unsigned char)p[i]) && !strchr("|,\"`", p[i]))
				i++;
		}
		w[(*count)++] = (struct word){p + from, i - from};
	}
	return 0;
}

/* One stage of a pipe; what came from the stage before is its last argument. */
static int stage(struct run *r, const struct word *w, size_t n, const struct val *piped,
		 const struct json *dot, const struct var *vars, struct val *out)
{
	struct val args[WORDS_MAX + 1];
	size_t count = 0;
	int ret;

	if (!n)
		return bad(r, "|", 1);
	if (strchr(".$\"`", *w->p) || isdigit((unsigned char)*w->p)) {
		if (n > 1 || piped)
			return bad(r, w->p, w->n);
		return value(r, w, dot, vars, out);
	}
	for (size_t i = 1; i < n; i++) {
		ret = value(r, &w[i], dot, vars, &args[count++]);
		if (ret < 0)
			return ret;
	}
	if (piped)
		args[count++] = *piped;
	return apply(r, w, args, count, out);
}

static int expression(struct run *r, const struct word *w, size_t n, const struct json *dot,
		      const struct var *vars, struct val *out)
{
	struct val v = {0};
	bool piped = false;

	for (size_t from = 0; from <= n;) {
		size_t to = from;
		int ret;

		while (to < n && !is(&w[to], "|"))
			to++;
		ret = stage(r, w + from, to - from, piped ? &v : NULL, dot, vars, out);
		if (ret < 0)
			return ret;
		v = *out;
		piped = true;
		from = to + 1;
	}
	return 0;
}

/* ---- the text ---- */

struct action {
	const char *begin, *end; /* of "{{...}}" in the text */
	const char *p;		 /* inside */
	size_t n;
};

static int next_action(struct run *r, const char *at, const char *end, struct action *a)
{
	const char *open = memmem(at, (size_t)(end - at), "{{", 2), *close;

	if (!open)
		return 0;
	close = memmem(open, (size_t)(end - open), "}}", 2);
	if (!close)
		return bad(r, open, (size_t)(end - open));
	*a = (struct action){.begin = open, .end = close + 2, .p = open + 2};
	a->n = (size_t)(close - a->p);
	/* {{- trims what is before, -}} what is behind. */
	if (a->n > 1 && a->p[0] == '-' && isspace((unsigned char)a->p[1])) {
		a->p++;
		a->n--;
		while (a->begin > at && isspace((unsigned char)a->begin[-1]))
			a->begin--;
	}
	if (a->n > 1 && a->p[a->n - 1] == '-' && isspace((unsigned char)a->p[a->n - 2])) {
		a->n--;
		while (a->end < end && isspace((unsigned char)*a->end))
			a->end++;
	}
	return 1;
}

static bool opens(const struct action *a, size_t n, const struct word *w)
{
	return n && (is(&w[0], "range") || is(&w[0], "if") || is(&w[0], "with"));
}

struct block {
	const char *body, *body_end; /* up to {{else}} or {{end}} */
	const char *other, *other_end;
	const char *end; /* behind {{end}} */
};

static int find_block(struct run *r, const char *at, const char *end, struct block *b)
{
	struct word w[WORDS_MAX];
	struct action a;
	size_t n, depth = 0;
	int ret;

	*b = (struct block){.body = at};
	while ((ret = next_action(r, at, end, &a)) > 0) {
		ret = split(r, a.p, a.n, w, &n);
		if (ret < 0)
			return ret;
		at = a.end;
		if (opens(&a, n, w)) {
			depth++;
		} else if (n == 1 && is(&w[0], "else") && !depth && !b->other) {
			b->body_end = a.begin;
			b->other = a.end;
		} else if (n == 1 && is(&w[0], "end") && !depth--) {
			if (b->other)
				b->other_end = a.begin;
			else
				b->body_end = a.begin;
			b->end = a.end;
			return 0;
		}
	}
	return ret < 0 ? ret : err_set(r->e, ERR_USAGE, "template: a block without {{end}}");
}

static int walk(struct run *r, const char *at, const char *end, const struct json *dot,
		const struct var *vars, int depth);

struct each {
	struct run *r;
	const struct block *b;
	const struct word *key, *val; /* names, or NULL */
	const struct var *vars;
	int depth;
};

static int one_turn(struct each *x, const char *key, const struct json *v)
{
	struct var k = {.up = x->vars}, w = {.up = &k, .value = v};

	if (x->key) {
		k.name = x->key->p;
		k.len = x->key->n;
		k.text = key;
	}
	if (x->val) {
		w.name = x->val->p;
		w.len = x->val->n;
	}
	return walk(x->r, x->b->body, x->b->body_end, v, &w, x->depth + 1);
}

static int member_turn(const char *key, struct json *v, void *arg)
{
	return one_turn(arg, key, v);
}

static int range(struct run *r, const struct word *w, size_t n, const struct block *b,
		 const struct json *dot, const struct var *vars, int depth)
{
	struct each x = {.r = r, .b = b, .vars = vars, .depth = depth};
	struct val v;
	int ret;

	/* $v := X, or $k, $v := X */
	if (n > 2 && is(&w[1], ":=")) {
		x.val = &w[0];
		w += 2;
		n -= 2;
	} else if (n > 4 && is(&w[1], ",") && is(&w[3], ":=")) {
		x.key = &w[0];
		x.val = &w[2];
		w += 4;
		n -= 4;
	}
	ret = expression(r, w, n, dot, vars, &v);
	if (ret < 0)
		return ret;
	if (!truth(r, &v))
		return b->other ? walk(r, b->other, b->other_end, dot, vars, depth + 1) : 0;
	if (json_is_object(v.j))
		return json_each(v.j, member_turn, &x);
	for (size_t i = 0; ret == 0 && i < json_length(v.j); i++)
		ret = one_turn(&x, arena_printf(r->a, "%zu", i), json_at(v.j, i));
	return ret;
}

static int choose(struct run *r, const struct word *w, size_t n, const struct block *b,
		  const struct json *dot, const struct var *vars, int depth)
{
	struct val v;
	int ret = expression(r, w + 1, n - 1, dot, vars, &v);

	if (ret < 0)
		return ret;
	if (truth(r, &v))
		return walk(r, b->body, b->body_end, is(&w[0], "with") ? v.j : dot, vars,
			    depth + 1);
	return b->other ? walk(r, b->other, b->other_end, dot, vars, depth + 1) : 0;
}

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

static int walk(struct run *r, const char *at, const char *end, const struct json *dot,
		const struct var *vars, int depth)
{
	struct word w[WORDS_MAX];
	struct action a;
	struct block b;
	struct val v;
	size_t n;
	int ret;

	if (depth > DEPTH_MAX)
		return err_set(r->e, ERR_LIMIT, "template: more than %d blocks in each other",
			       DEPTH_MAX);
	while ((ret = next_action(r, at, end, &a)) > 0) {
		literal(r->out, at, a.begin);
		at = a.end;
		ret = split(r, a.p, a.n, w, &n);
		if (ret < 0 || !n)
			return ret < 0 ? ret : bad(r, a.begin, (size_t)(a.end - a.begin));
		if (opens(&a, n, w)) {
			ret = find_block(r, at, end, &b);
			if (ret == 0)
				ret = is(&w[0], "range")
					  ? range(r, w + 1, n - 1, &b, dot, vars, depth)
					  : choose(r, w, n, &b, dot, vars, depth);
			if (ret < 0)
				return ret;
			at = b.end;
			continue;
		}
		ret = expression(r, w, n, dot, vars, &v);
		if (ret < 0)
			return ret;
		buf_puts(r->out, text_of(r, &v));
	}
	if (ret == 0)
		literal(r->out, at, end);
	return ret;
}

int template_print(const char *t, const struct json *j, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct run r = {.out = out, .a = &a, .e = e, .root = j};

	return walk(&r, t, t + strlen(t), j, NULL, 0);
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

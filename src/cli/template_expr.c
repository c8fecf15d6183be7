/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template_expr.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/template_func.h"
#include "fmt/json.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#define ARGS_MAX  16
#define DEPTH_MAX 16
#define PRINT_MAX (8u << 20)

struct lex {
	struct template_run *r;
	const char *p, *end;
	const struct template_scope *s;
	int depth; /* of parentheses */
};

int template_expr_bad(struct template_run *r, const char *at, const char *end)
{
	size_t n = (size_t)(end - at);

	return err_set(r->e, ERR_USAGE, "template: cannot understand '%.*s'", n > 80 ? 80 : (int)n,
		       at);
}

/* ---- printing ---- */

struct printing {
	struct template_run *r;
	struct buf *b;
};

static int print_member(const char *key, struct json *value, void *arg)
{
	struct printing *p = arg;
	struct template_value m = {.kind = TEMPLATE_JSON, .j = value};

	buf_printf(p->b, "%s%s:%s", p->b->len > 4 ? " " : "", key, template_expr_text(p->r, &m));
	return 0;
}

static void print_json(struct template_run *r, const struct json *j, struct buf *b)
{
	struct printing p = {r, b};

	/* Lists and maps as Go prints them: [a b] and map[k:v]. */
	if (json_is_array(j)) {
		buf_puts(b, "[");
		for (size_t i = 0; i < json_length(j); i++) {
			struct template_value m = {.kind = TEMPLATE_JSON, .j = json_at(j, i)};

			buf_printf(b, "%s%s", i ? " " : "", template_expr_text(r, &m));
		}
		buf_puts(b, "]");
	} else if (json_is_object(j)) {
		buf_puts(b, "map[");
		json_each(j, print_member, &p);
		buf_puts(b, "]");
	} else {
		json_dump(j, b);
	}
}

const char *template_expr_text(struct template_run *r, const struct template_value *v)
{
	auto_buf struct buf b = BUF_INIT(PRINT_MAX);
	const char *s;

	if (v->kind == TEMPLATE_NONE)
		return "<no value>";
	if (v->kind != TEMPLATE_JSON)
		return v->text;
	s = json_string(v->j);
	if (s)
		return s;
	if (!v->j)
		return "<nil>";
	print_json(r, v->j, &b);
	return arena_dup(r->a, b.p);
}

bool template_expr_truth(struct template_run *r, const struct template_value *v)
{
	const char *s;

	switch (v->kind) {
	case TEMPLATE_NONE:
		return false;
	case TEMPLATE_TEXT:
		return *v->text != '\0';
	case TEMPLATE_NUMBER:
		return !streq(v->text, "0");
	case TEMPLATE_TRUTH:
		return streq(v->text, "true");
	case TEMPLATE_JSON:
		break;
	}
	if (!v->j || json_is_array(v->j) || json_is_object(v->j))
		return json_length(v->j) > 0;
	if ((s = json_string(v->j)))
		return *s != '\0';
	s = template_expr_text(r, v);
	return !streq(s, "false") && !streq(s, "0");
}

/* ---- operands ---- */

static void blanks(struct lex *l)
{
	while (l->p < l->end && isspace((unsigned char)*l->p))
		l->p++;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

struct folded {
	const char *key;
	const struct json *found;
	bool any;
};

static int fold(const char *key, struct json *value, void *arg)
{
	struct folded *f = arg;

	if (strcasecmp(key, f->key) == 0) {
		f->found = value;
		f->any = true;
		return -1;
	}
	return 0;
}

/* Docker's templates see Go's fields, ours the JSON names, which differ from them in case if at
 * all: .ID is "Id". */
static struct template_value member(const struct template_value *v, const char *key)
{
	struct template_value out = {.kind = TEMPLATE_JSON};
	struct folded f = {.key = key};

	if (v->kind != TEMPLATE_JSON || !json_is_object(v->j))
		return (struct template_value){.kind = TEMPLATE_NONE};
	out.j = json_member(v->j, key);
	if (out.j)
		return out;
	json_each(v->j, fold, &f);
	out.j = f.found;
	/* One that is there and null is no "no value". */
	out.kind = f.any ? TEMPLATE_JSON : TEMPLATE_NONE;
	return out;
}

/* ".A.B" behind a value. */
static int fields(struct lex *l, struct template_value *v)
{
	while (l->p < l->end && *l->p == '.') {
		const char *from = ++l->p;

		while (l->p < l->end && (is_word(*l->p) || *l->p == '-'))
			l->p++;
		if (l->p == from)
			return template_expr_bad(l->r, from - 1, l->end);
		*v = member(v, arena_dupn(l->r->a, from, (size_t)(l->p - from)));
	}
	return 0;
}

static int quoted(struct lex *l, struct template_value *out)
{
	auto_buf struct buf b = BUF_INIT(PRINT_MAX);
	const char *from = l->p;
	char quote = *l->p++;

	for (; l->p < l->end && *l->p != quote; l->p++) {
		static const char escapes[] = "n\nt\tr\r\\\\\"\"'\'";
		const char *e = NULL;

		if (*l->p != '\\' || quote == '`') {
			buf_add(&b, l->p, 1);
			continue;
		}
		if (++l->p < l->end)
			for (e = escapes; *e && *e != *l->p; e += 2)
				;
		if (!e || !*e)
			return template_expr_bad(l->r, from, l->end);
		buf_add(&b, e + 1, 1);
	}
	if (l->p == l->end)
		return template_expr_bad(l->r, from, l->end);
	l->p++;
	*out =
	    (struct template_value){.kind = TEMPLATE_TEXT, .text = arena_dupn(l->r->a, b.p, b.len)};
	return 0;
}

static int number(struct lex *l, struct template_value *out)
{
	const char *from = l->p;

	l->p += *l->p == '-' || *l->p == '+';
	while (l->p < l->end && (isdigit((unsigned char)*l->p) || *l->p == '.'))
		l->p++;
	if (!isdigit((unsigned char)l->p[-1]))
		return template_expr_bad(l->r, from, l->end);
	*out = (struct template_value){.kind = TEMPLATE_NUMBER,
				       .text = arena_dupn(l->r->a, from, (size_t)(l->p - from))};
	return 0;
}

static int variable(struct lex *l, struct template_value *out)
{
	const char *from = l->p++;
	const struct template_var *v = l->s->vars;
	size_t n;

	while (l->p < l->end && is_word(*l->p))
		l->p++;
	n = (size_t)(l->p - from);
	*out = (struct template_value){.kind = TEMPLATE_JSON, .j = l->r->root};
	if (n == 1)
		return 0;
	while (v && (v->len != n || memcmp(v->name, from, n) != 0))
		v = v->up;
	if (!v)
		return template_expr_bad(l->r, from, l->p);
	*out = v->v;
	return 0;
}

static int pipeline(struct lex *l, struct template_value *out);

static int parenthesis(struct lex *l, struct template_value *out)
{
	const char *from = l->p++;
	int r;

	if (++l->depth > DEPTH_MAX)
		return err_set(l->r->e, ERR_LIMIT, "template: more than %d parentheses", DEPTH_MAX);
	r = pipeline(l, out);
	if (r < 0)
		return r;
	if (l->p == l->end || *l->p != ')')
		return template_expr_bad(l->r, from, l->end);
	l->p++;
	l->depth--;
	return 0;
}

/* 1: an operand; 0: none here; negative: wrong. */
static int operand(struct lex *l, struct template_value *out)
{
	int r = 0;

	blanks(l);
	if (l->p == l->end || strchr("|),", *l->p) || (*l->p == ':' || *l->p == '='))
		return 0;
	if (*l->p == '"' || *l->p == '`') {
		r = quoted(l, out);
	} else if (isdigit((unsigned char)*l->p) || *l->p == '-' || *l->p == '+') {
		r = number(l, out);
	} else if (*l->p == '$') {
		r = variable(l, out);
	} else if (*l->p == '(') {
		r = parenthesis(l, out);
	} else if (*l->p == '.') {
		*out = l->s->dot;
		/* Alone it is the dot itself. */
		if (l->p + 1 == l->end || !(is_word(l->p[1]) || l->p[1] == '-')) {
			l->p++;
			return 1;
		}
	} else {
		return template_expr_bad(l->r, l->p, l->end);
	}
	if (r == 0)
		r = fields(l, out);
	return r < 0 ? r : 1;
}

/* ---- commands ---- */

static const char *word(struct lex *l)
{
	const char *from;

	blanks(l);
	from = l->p;
	if (l->p < l->end && isalpha((unsigned char)*l->p))
		while (l->p < l->end && is_word(*l->p))
			l->p++;
	return l->p > from ? arena_dupn(l->r->a, from, (size_t)(l->p - from)) : NULL;
}

static bool constant(const char *name, struct template_value *out)
{
	if (name && (streq(name, "true") || streq(name, "false")))
		*out = (struct template_value){.kind = TEMPLATE_TRUTH, .text = name};
	else if (name && streq(name, "nil"))
		*out = (struct template_value){.kind = TEMPLATE_JSON};
	else
		return false;
	return true;
}

/* An argument may be a function without arguments of its own only in parentheses, as in Go; the
 * three constants are words, too. */
static int argument(struct lex *l, struct template_value *out)
{
	const char *at = l->p, *name = word(l);

	if (constant(name, out))
		return 1;
	l->p = at;
	return operand(l, out);
}

/* .Label "KEY": Go's method of a row, here the member of an object; "" without. */
static int called(struct lex *l, struct template_value *v)
{
	struct template_value key;
	const struct json *j;
	int r;

	blanks(l);
	if (l->p == l->end || (*l->p != '"' && *l->p != '`') || v->kind != TEMPLATE_JSON ||
	    !json_is_object(v->j))
		return 0;
	r = quoted(l, &key);
	if (r < 0)
		return r;
	j = json_member(v->j, key.text);
	*v = j ? (struct template_value){.kind = TEMPLATE_JSON, .j = j}
	       : (struct template_value){.kind = TEMPLATE_TEXT, .text = ""};
	return 0;
}

/* What came through the pipe is the last argument. */
static int command(struct lex *l, const struct template_value *piped, struct template_value *out)
{
	struct template_value args[ARGS_MAX + 1];
	const char *at, *name;
	size_t n = 0;
	int r;

	blanks(l);
	at = l->p;
	name = word(l);
	if (!name || constant(name, out)) {
		r = name ? 1 : operand(l, out);
		if (r <= 0 || piped)
			return r < 0 ? r
				     : template_expr_bad(l->r, at < l->end ? at : "|",
							 at < l->end ? l->end : "|" + 1);
		return called(l, out);
	}
	while ((r = argument(l, &args[n])) > 0)
		if (++n == ARGS_MAX)
			return template_expr_bad(l->r, at, l->end);
	if (r < 0)
		return r;
	if (piped)
		args[n++] = *piped;
	r = template_func(l->r, name, args, n, out);
	return r == -ENOSYS ? template_expr_bad(l->r, name, name + strlen(name)) : r;
}

static int pipeline(struct lex *l, struct template_value *out)
{
	struct template_value v;
	int r = command(l, NULL, out);

	while (r == 0) {
		blanks(l);
		if (l->p == l->end || *l->p != '|')
			return 0;
		l->p++;
		v = *out;
		r = command(l, &v, out);
	}
	return r;
}

int template_expr(struct template_run *r, const char **p, const char *end,
		  const struct template_scope *s, struct template_value *out)
{
	struct lex l = {.r = r, .p = *p, .end = end, .s = s};
	int ret = pipeline(&l, out);

	*p = l.p;
	return ret;
}

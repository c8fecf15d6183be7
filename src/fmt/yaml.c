/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON is written while libyaml's events come; an anchor is a stretch of what was written, and its
 * alias a copy of that stretch.  The buffer's limit therefore bounds every expansion.
 */
#include "fmt/yaml.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <yaml.h>

#define ANCHORS_MAX 1000

struct anchor {
	const char *name;
	size_t from, len; /* len 0: it is still open */
};

struct level {
	bool map, key; /* key: the next scalar is one */
	bool comma;
	size_t anchor; /* of it + 1; 0: none */
	size_t from;
};

struct reading {
	struct buf b; /* the JSON of the document */
	struct level level[YAML_DEPTH_MAX];
	size_t depth;
	struct anchor anchors[ANCHORS_MAX];
	size_t nanchors;
	const char *what;
	struct arena *a;
	struct err *e;
};

static int refuse(const struct reading *x, enum err_kind kind, const yaml_event_t *ev,
		  const char *why)
{
	return err_set(x->e, kind, "%s: line %zu: %s", x->what, ev->start_mark.line + 1, why);
}

/* ---- scalars ---- */

static const char *text_of(const yaml_event_t *ev)
{
	union {
		const yaml_char_t *in;
		const char *out;
	} u = {.in = ev->data.scalar.value};

	return u.out;
}

static bool digits(const char *s, const char *set)
{
	return *s && s[strspn(s, set)] == '\0';
}

/* 0x1f, 0o644 and, as every YAML 1.1 reader has it, 0644. */
static bool based_int(const char *s, bool minus, struct buf *out)
{
	int base = str_after(s, "0x") && digits(s + 2, "0123456789abcdefABCDEF") ? 16
		   : str_after(s, "0o") && digits(s + 2, "01234567")		 ? 8
		   : *s == '0' && s[1] && digits(s, "01234567")			 ? 8
										 : 0;
	unsigned long long v;

	if (!base)
		return false;
	errno = 0;
	v = strtoull(str_after(s, "0o") ? s + 2 : s, NULL, base);
	if (errno || v > INT64_MAX)
		return false;
	buf_printf(out, "%s%llu", minus ? "-" : "", v);
	return true;
}

/* A number as JSON writes it, when s is one. */
static bool number(const char *s, struct buf *out)
{
	const char *from = *s == '+' ? s + 1 : s, *p = from + (*from == '-');
	size_t whole, part = 0;

	if (based_int(p, *from == '-', out))
		return true;
	whole = strspn(p, "0123456789");
	if (whole > 1 && *p == '0')
		return false;
	p += whole;
	if (*p == '.') {
		part = strspn(p + 1, "0123456789");
		p += part + 1;
	}
	if (!whole && !part)
		return false;
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '+' || p[1] == '-');
		if (!strspn(p, "0123456789"))
			return false;
		p += strspn(p, "0123456789");
	}
	/* ".5" and "1." are numbers of YAML, but not of JSON; nobody writes them here. */
	if (*p || !whole || (from[strcspn(from, ".")] && !part))
		return false;
	buf_add(out, from, (size_t)(p - from));
	return true;
}

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (streq(s, *words))
			return true;
	return false;
}

static void quoted(const yaml_event_t *ev, struct buf *out)
{
	buf_puts(out, "\"");
	utf8_json(out, text_of(ev), ev->data.scalar.length);
	buf_puts(out, "\"");
}

static int plain(struct reading *x, const yaml_event_t *ev)
{
	static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL},
				 *const yes[] = {"true", "True", "TRUE", NULL},
				 *const no[] = {"false", "False", "FALSE", NULL};
	const char *s = text_of(ev);

	if (one_of(s, null))
		buf_puts(&x->b, "null");
	else if (one_of(s, yes))
		buf_puts(&x->b, "true");
	else if (one_of(s, no))
		buf_puts(&x->b, "false");
	else if (!number(s, &x->b))
		quoted(ev, &x->b);
	return 0;
}

static bool known_tag(const yaml_char_t *tag)
{
	static const char *const known[] = {
	    YAML_NULL_TAG, YAML_BOOL_TAG, YAML_STR_TAG, YAML_INT_TAG, YAML_FLOAT_TAG,
	    YAML_SEQ_TAG,  YAML_MAP_TAG,  "!",		NULL};
	union {
		const yaml_char_t *in;
		const char *out;
	} u = {.in = tag};

	return !tag || one_of(u.out, known);
}

static int scalar(struct reading *x, const yaml_event_t *ev, bool key)
{
	bool string = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || key;
	union {
		const yaml_char_t *in;
		const char *out;
	} tag = {.in = ev->data.scalar.tag};

	if (!known_tag(ev->data.scalar.tag))
		return refuse(x, ERR_UNSUPPORTED, ev, "a tag that is not known");
	if (memchr(text_of(ev), '\0', ev->data.scalar.length))
		return refuse(x, ERR_CORRUPT, ev, "a NUL character");
	if (key && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && streq(text_of(ev), "<<"))
		return refuse(x, ERR_UNSUPPORTED, ev, "the merge key '<<' is not known");
	if (tag.out && !streq(tag.out, YAML_STR_TAG) && !streq(tag.out, "!") && !key)
		string = false;
	else if (tag.out)
		string = true;
	if (!string)
		return plain(x, ev);
	quoted(ev, &x->b);
	return 0;
}

/* ---- structure ---- */

/* What comes before a value or key.  *key: it is a key. */
static int before(struct reading *x, const yaml_event_t *ev, bool *key)
{
	struct level *l = x->depth ? &x->level[x->depth - 1] : NULL;

	*key = l && l->map && l->key;
	if (*key && ev->type != YAML_SCALAR_EVENT)
		return refuse(x, ERR_UNSUPPORTED, ev, "a key that is not a plain word");
	if (l && l->comma && (!l->map || l->key))
		buf_puts(&x->b, ",");
	return 0;
}

static void after(struct reading *x)
{
	struct level *l = x->depth ? &x->level[x->depth - 1] : NULL;

	if (!l)
		return;
	l->comma = true;
	if (l->map && l->key)
		buf_puts(&x->b, ":");
	l->key = l->map && !l->key;
}

static int name_anchor(struct reading *x, const yaml_event_t *ev, const yaml_char_t *name,
		       size_t *out)
{
	union {
		const yaml_char_t *in;
		const char *out;
	} u = {.in = name};

	*out = 0;
	if (!name)
		return 0;
	if (x->nanchors == ANCHORS_MAX)
		return refuse(x, ERR_LIMIT, ev, "too many anchors");
	x->anchors[x->nanchors] = (struct anchor){.name = arena_dup(x->a, u.out), .from = x->b.len};
	*out = ++x->nanchors;
	return 0;
}

static void end_anchor(struct reading *x, size_t anchor)
{
	if (anchor)
		x->anchors[anchor - 1].len = x->b.len - x->anchors[anchor - 1].from;
}

static int alias(struct reading *x, const yaml_event_t *ev)
{
	union {
		const yaml_char_t *in;
		const char *out;
	} u = {.in = ev->data.alias.anchor};

	/* The last one of that name counts. */
	for (size_t i = x->nanchors; i-- > 0;) {
		const struct anchor *n = &x->anchors[i];

		if (!streq(n->name, u.out))
			continue;
		if (!n->len)
			return refuse(x, ERR_CORRUPT, ev, "an alias inside of its own anchor");
		if (n->len <= x->b.max - x->b.len) {
			char *copy = arena_dupn(x->a, x->b.p + n->from, n->len);

			buf_add(&x->b, copy, n->len);
			return 0;
		}
		return refuse(x, ERR_LIMIT, ev, "aliases make this document too large");
	}
	return refuse(x, ERR_CORRUPT, ev, "an alias of no anchor");
}

static int open_level(struct reading *x, const yaml_event_t *ev, bool map)
{
	const yaml_char_t *tag = map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag,
			  *name =
			      map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor;
	struct level l = {.map = map, .key = map};
	int r = name_anchor(x, ev, name, &l.anchor);

	if (r < 0)
		return r;
	if (!known_tag(tag))
		return refuse(x, ERR_UNSUPPORTED, ev, "a tag that is not known");
	if (x->depth == YAML_DEPTH_MAX)
		return refuse(x, ERR_LIMIT, ev, "too many levels");
	x->level[x->depth++] = l;
	buf_puts(&x->b, map ? "{" : "[");
	return 0;
}

static void close_level(struct reading *x)
{
	struct level *l = &x->level[--x->depth];

	buf_puts(&x->b, l->map ? "}" : "]");
	end_anchor(x, l->anchor);
	after(x);
}

static int value(struct reading *x, const yaml_event_t *ev)
{
	size_t anchor = 0;
	bool key;
	int r = before(x, ev, &key);

	if (r < 0)
		return r;
	if (ev->type == YAML_SEQUENCE_START_EVENT || ev->type == YAML_MAPPING_START_EVENT)
		return open_level(x, ev, ev->type == YAML_MAPPING_START_EVENT);
	if (ev->type == YAML_ALIAS_EVENT) {
		r = alias(x, ev);
	} else {
		r = name_anchor(x, ev, ev->data.scalar.anchor, &anchor);
		if (r == 0)
			r = scalar(x, ev, key);
		end_anchor(x, anchor);
	}
	if (r == 0)
		after(x);
	return r;
}

static int end_document(struct reading *x, const yaml_event_t *ev, struct strs *out)
{
	int r = buf_fail(&x->b, x->what, x->e);

	if (r < 0)
		return r;
	if (out->n == YAML_DOCS_MAX)
		return refuse(x, ERR_LIMIT, ev, "too many documents");
	if (!streq(x->b.p, "null"))
		arena_strs_add(x->a, out, arena_dupn(x->a, x->b.p, x->b.len));
	/* What all documents together may be is bounded, too. */
	x->b.max -= x->b.len < x->b.max ? x->b.len : x->b.max;
	x->b.len = 0;
	x->nanchors = 0;
	return 0;
}

/* 1: the end. */
static int event(struct reading *x, const yaml_event_t *ev, struct strs *out)
{
	switch (ev->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_END_EVENT:
		return end_document(x, ev, out);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_level(x);
		break;
	case YAML_SCALAR_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return value(x, ev);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		break;
	}
	return 0;
}

static int broken(const struct reading *x, const yaml_parser_t *p)
{
	return err_set(x->e, ERR_CORRUPT, "%s: line %zu: no YAML: %.100s", x->what,
		       p->problem_mark.line + 1, p->problem ? p->problem : "it cannot be read");
}

int yaml_to_json(const char *text, size_t len, const char *what, struct arena *a, struct strs *out,
		 struct err *e)
{
	struct reading *x = arena_alloc(a, sizeof(*x));
	union {
		const char *in;
		const unsigned char *out;
	} u = {.in = text};
	yaml_parser_t p;
	int r = 0;

	if (len > YAML_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %u bytes", what, YAML_TEXT_MAX);
	*x = (struct reading){.b = BUF_INIT(YAML_TEXT_MAX), .what = what, .a = a, .e = e};
	if (!yaml_parser_initialize(&p))
		abort();
	yaml_parser_set_input_string(&p, u.out, len);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	while (r == 0) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&p, &ev)) {
			r = broken(x, &p);
			break;
		}
		r = event(x, &ev, out);
		/* Before the next event: what grows without end must not go on growing. */
		if (r == 0)
			r = buf_fail(&x->b, what, e);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
	buf_free(&x->b);
	return r < 0 ? r : 0;
}

/* ---- writing ---- */

struct writing {
	struct buf *out;
	int depth;
	bool inline_first; /* the next line goes on behind "- " */
};

static void indent(struct writing *w)
{
	if (!w->inline_first)
		for (int i = 0; i < w->depth; i++)
			buf_puts(w->out, "  ");
	w->inline_first = false;
}

static void write_value(struct writing *w, const struct json *j);

/* Words that any reader takes for a string; all others are quoted. */
static bool bare(const char *s)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off",
					    "Null", "True", "False", "Yes", "No", "On", "Off",
					    "NULL", "TRUE", "FALSE", "YES", "NO", "ON", "OFF",
					    "y",    "n",    "Y",     "N",   NULL};
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

	return *s && strchr(letters, *s) && !strchr("0123456789./-", *s) && digits(s, letters) &&
	       !one_of(s, words);
}

static void write_text(struct writing *w, const char *s)
{
	if (bare(s))
		buf_puts(w->out, s);
	else
		json_quote(w->out, s);
}

static int write_member(const char *key, struct json *v, void *arg)
{
	struct writing *w = arg;

	indent(w);
	write_text(w, key);
	buf_puts(w->out, ":");
	write_value(w, v);
	return 0;
}

static void write_value(struct writing *w, const struct json *j)
{
	const char *s = json_string(j);

	if (json_is_object(j) && json_length(j)) {
		buf_puts(w->out, "\n");
		w->depth++;
		json_each(j, write_member, w);
		w->depth--;
		return;
	}
	if (json_is_array(j) && json_length(j)) {
		buf_puts(w->out, "\n");
		for (size_t i = 0; i < json_length(j); i++) {
			const struct json *v = json_at(j, i);

			indent(w);
			buf_puts(w->out, "-");
			if (json_is_object(v) && json_length(v)) {
				buf_puts(w->out, " ");
				w->inline_first = true;
				w->depth++;
				json_each(v, write_member, w);
				w->depth--;
			} else {
				w->depth++;
				write_value(w, v);
				w->depth--;
			}
		}
		return;
	}
	buf_puts(w->out, " ");
	if (s)
		write_text(w, s);
	else
		json_dump(j, w->out);
	buf_puts(w->out, "\n");
}

int yaml_from_json(const char *json, size_t len, struct buf *out, struct err *e)
{
	struct writing w = {.out = out};
	auto_json struct json *j = NULL;
	int r = json_parse(json, len, "document", &j, e);

	if (r == 0)
		r = json_each(j, write_member, &w);
	return r == 0 ? buf_fail(out, "document", e) : r;
}

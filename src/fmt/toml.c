/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/toml.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>

#define BARE	  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define NAME_MAX_ 1024 /* bytes of a dotted key */

struct reader {
	const char *p; /* NUL-terminated; holds no other NUL */
	unsigned int line;
	const char *what, *table;
	struct arena *a;
	int (*fn)(const struct toml_item *i, void *arg, struct err *e);
	void *arg;
};

static int wrong(const struct reader *r, const char *why, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%.200s: line %u: %s", r->what, r->line, why);
}

/* ---- blanks ---- */

static void blanks(struct reader *r)
{
	r->p += strspn(r->p, " \t");
}

/* Blanks, comments and the ends of lines. */
static void lines(struct reader *r)
{
	for (;;) {
		blanks(r);
		if (*r->p == '#')
			r->p += strcspn(r->p, "\n");
		if (*r->p == '\r' && r->p[1] == '\n')
			r->p++;
		if (*r->p != '\n')
			return;
		r->p++;
		r->line++;
	}
}

/* Nothing but a comment may follow on the line. */
static int line_end(struct reader *r, struct err *e)
{
	blanks(r);
	if (*r->p && *r->p != '#' && *r->p != '\n' && !(*r->p == '\r' && r->p[1] == '\n'))
		return wrong(r, "something unexpected at its end", e);
	return 0;
}

/* ---- strings ---- */

static void put_utf8(struct buf *b, unsigned long c)
{
	char u[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n; i-- > 0; c >>= 6)
		u[i] = (char)(i ? 0x80 | (c & 0x3f) : lead[n] | c);
	buf_add(b, u, n);
}

static int unicode(struct reader *r, size_t digits, struct buf *b, struct err *e)
{
	unsigned long c = 0;

	for (size_t i = 0; i < digits; i++, r->p++) {
		if (!isxdigit((unsigned char)*r->p))
			return wrong(r, "a malformed escape", e);
		c = c << 4 |
		    (unsigned long)(isdigit((unsigned char)*r->p) ? *r->p - '0'
								  : (*r->p | 0x20) - 'a' + 10);
	}
	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return wrong(r, "an escape of no character", e);
	put_utf8(b, c);
	return 0;
}

static int escape(struct reader *r, struct buf *b, struct err *e)
{
	static const char from[] = "btnfr\"\\e", to[] = "\b\t\n\f\r\"\\\x1b";
	char c = *r->p;
	const char *at = c ? strchr(from, c) : NULL;

	if (!at && c != 'u' && c != 'U')
		return wrong(r, "an unknown escape", e);
	r->p++;
	if (!at)
		return unicode(r, c == 'u' ? 4 : 8, b, e);
	buf_add(b, &to[at - from], 1);
	return 0;
}

/* "basic" or 'literal', at the quote. */
static int quoted(struct reader *r, const char **out, struct err *e)
{
	struct buf b = BUF_INIT(TOML_MAX);
	char q = *r->p;
	int rc = 0;

	if (r->p[1] == q && r->p[2] == q)
		return err_set(e, ERR_UNSUPPORTED, "%.200s: line %u: strings of several lines",
			       r->what, r->line);
	for (r->p++; rc >= 0 && *r->p != q;) {
		unsigned char c = (unsigned char)*r->p;

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			rc = wrong(r, "a string without end", e);
		} else if (c == '\\' && q == '"') {
			r->p++;
			rc = escape(r, &b, e);
		} else {
			buf_add(&b, r->p++, 1);
		}
	}
	if (rc >= 0) {
		r->p++;
		*out = arena_dupn(r->a, b.p, b.len);
	}
	buf_free(&b);
	return rc;
}

/* bare, "quoted" and a.dotted.one */
static int key(struct reader *r, const char **out, struct err *e)
{
	const char *whole = NULL, *part;

	for (;;) {
		size_t n = strspn(r->p, BARE);
		int rc = 0;

		if (*r->p == '"' || *r->p == '\'')
			rc = quoted(r, &part, e);
		else if (!n)
			rc = wrong(r, "a key is expected", e);
		else {
			part = arena_dupn(r->a, r->p, n);
			r->p += n;
		}
		if (rc < 0)
			return rc;
		whole = whole ? arena_printf(r->a, "%s.%s", whole, part) : part;
		if (strlen(whole) > NAME_MAX_)
			return err_set(e, ERR_LIMIT, "%.200s: line %u: a very long key", r->what,
				       r->line);
		blanks(r);
		if (*r->p != '.') {
			*out = whole;
			return 0;
		}
		r->p++;
		blanks(r);
	}
}

/* ---- values ---- */

static int value(struct reader *r, const char *name, int depth, struct err *e);

static const char *join(struct reader *r, const char *table, const char *name)
{
	return *table ? arena_printf(r->a, "%s.%s", table, name) : name;
}

static int begin_table(struct reader *r, const char *table, struct err *e)
{
	struct toml_item i = {.table = table, .type = TOML_TABLE};

	r->table = table;
	return r->fn(&i, r->arg, e);
}

static int array(struct reader *r, const char *name, int depth, struct err *e)
{
	int rc = 0;

	r->p++;
	for (;;) {
		lines(r);
		if (*r->p == ']') {
			r->p++;
			return 0;
		}
		rc = value(r, name, depth + 1, e);
		if (rc < 0)
			return rc;
		lines(r);
		if (*r->p == ',')
			r->p++;
		else if (*r->p != ']')
			return wrong(r, "an array without end", e);
	}
}

static int pair(struct reader *r, int depth, struct err *e)
{
	const char *name;
	int rc = key(r, &name, e);

	if (rc < 0)
		return rc;
	if (*r->p != '=')
		return wrong(r, "'=' is expected behind a key", e);
	r->p++;
	blanks(r);
	return value(r, name, depth, e);
}

static int inline_table(struct reader *r, const char *name, int depth, struct err *e)
{
	const char *outer = r->table;
	int rc = begin_table(r, join(r, outer, name), e);

	r->p++;
	blanks(r);
	while (rc >= 0 && *r->p != '}') {
		rc = pair(r, depth + 1, e);
		if (rc < 0)
			break;
		blanks(r);
		if (*r->p == ',') {
			r->p++;
			blanks(r);
		} else if (*r->p != '}') {
			rc = wrong(r, "a table in braces without end", e);
		}
	}
	if (rc >= 0)
		r->p++;
	r->table = outer;
	return rc;
}

/* true, false, 12, or what we need not understand. */
static int scalar(struct reader *r, struct toml_item *i, struct err *e)
{
	size_t n = strspn(r->p, BARE "+.:");
	char *text = arena_dupn(r->a, r->p, n), *end;

	if (!n)
		return wrong(r, "a value is expected", e);
	r->p += n;
	if (streq(text, "true") || streq(text, "false")) {
		i->type = TOML_BOOLEAN;
		i->boolean = *text == 't';
		return 0;
	}
	i->integer = strtoll(text, &end, 10);
	i->type = *end ? TOML_OTHER : TOML_INTEGER;
	return 0;
}

static int value(struct reader *r, const char *name, int depth, struct err *e)
{
	struct toml_item i = {.table = r->table, .key = name, .type = TOML_STRING};
	int rc;

	if (depth > TOML_DEPTH_MAX)
		return err_set(e, ERR_LIMIT,
			       "%.200s: line %u: more than %d arrays inside each other", r->what,
			       r->line, TOML_DEPTH_MAX);
	if (*r->p == '[')
		return array(r, name, depth, e);
	if (*r->p == '{')
		return inline_table(r, name, depth, e);
	rc = *r->p == '"' || *r->p == '\'' ? quoted(r, &i.string, e) : scalar(r, &i, e);
	return rc < 0 ? rc : r->fn(&i, r->arg, e);
}

/* [x] or [[x]] */
static int header(struct reader *r, struct err *e)
{
	size_t n = strspn(r->p, "[");
	const char *name;
	int rc;

	if (n > 2)
		return wrong(r, "a table's name is expected", e);
	r->p += n;
	blanks(r);
	rc = key(r, &name, e);
	if (rc < 0)
		return rc;
	if (strspn(r->p, "]") != n)
		return wrong(r, "a table's name without end", e);
	r->p += n;
	return begin_table(r, name, e);
}

int toml_read(const char *text, size_t len, const char *what, struct arena *a,
	      int (*fn)(const struct toml_item *i, void *arg, struct err *e), void *arg,
	      struct err *e)
{
	struct reader r = {.line = 1, .what = what, .table = "", .a = a, .fn = fn, .arg = arg};
	int rc = 0;

	if (len > TOML_MAX)
		return err_set(e, ERR_LIMIT, "%.200s has more than %u bytes", what, TOML_MAX);
	if (memchr(text, '\0', len))
		return err_set(e, ERR_CORRUPT, "%.200s holds a NUL byte", what);
	r.p = arena_dupn(a, text, len);
	for (;;) {
		lines(&r);
		if (!*r.p)
			return 0;
		rc = *r.p == '[' ? header(&r, e) : pair(&r, 0, e);
		if (rc >= 0)
			rc = line_end(&r, e);
		if (rc < 0)
			return rc;
	}
}

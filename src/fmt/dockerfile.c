/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/dockerfile.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/dockerfile_instr.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const char *const dockerfile_names[] = {
#define X(k, name, flags) name,
    DOCKERFILE_KINDS(X)
#undef X
	NULL};

struct lines {
	const char *p, *end;
	int line; /* of the last one read */
};

struct parser {
	struct lines in;
	struct arena *a;
	struct dockerfile *file;
	bool from;	  /* a stage has begun */
	int upper, lower; /* how many names came in capitals, and in small letters */
	struct err *e;
};

/* One line without its '\n'. */
static bool next_line(struct lines *l, const char **start, size_t *len)
{
	const char *nl;

	if (l->p >= l->end)
		return false;
	nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
	*start = l->p;
	*len = (size_t)((nl ? nl : l->end) - l->p);
	l->p = nl ? nl + 1 : l->end;
	l->line++;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void trim(const char **p, size_t *len)
{
	while (*len && is_space(**p)) {
		(*p)++;
		(*len)--;
	}
	while (*len && is_space((*p)[*len - 1]))
		(*len)--;
}

/* ---- directives: "# name=value" before anything else ---- */

/* 1: a directive, recorded; 0: something else, where they end. */
static int directive(struct parser *s, const char *p, size_t len)
{
	struct dockerfile *f = s->file;
	const char *eq, *name, *value;
	size_t name_len;

	if (!len || *p != '#')
		return 0;
	p++;
	len--;
	eq = memchr(p, '=', len);
	if (!eq)
		return 0;
	name_len = (size_t)(eq - p);
	len -= name_len + 1;
	trim(&p, &name_len);
	eq++;
	trim(&eq, &len);
	name = arena_dupn(s->a, p, name_len);
	value = arena_dupn(s->a, eq, len);
	if (strcasecmp(name, "syntax") && strcasecmp(name, "escape") && strcasecmp(name, "check"))
		return 0;
	if (!strcasecmp(name, "escape")) {
		if (f->escape)
			return err_set(s->e, ERR_USAGE, "the escape directive is given twice");
		if (!streq(value, "\\") && !streq(value, "`"))
			return err_set(s->e, ERR_USAGE, "escape=%.16s: want \\ or `", value);
		f->escape = *value;
		return 1;
	}
	if (!strcasecmp(name, "syntax") ? f->syntax != NULL : f->check != NULL)
		return err_set(s->e, ERR_USAGE, "the %s directive is given twice", name);
	*(!strcasecmp(name, "syntax") ? &f->syntax : &f->check) = value;
	return 1;
}

static int directives(struct parser *s)
{
	struct lines before;
	const char *p;
	size_t len;
	int r = 1;

	do {
		before = s->in;
		if (!next_line(&s->in, &p, &len))
			break;
		trim(&p, &len);
		r = directive(s, p, len);
	} while (r > 0);
	if (r == 0)
		s->in = before;
	if (r >= 0 && !s->file->escape)
		s->file->escape = '\\';
	return r;
}

/* ---- instructions ---- */

/* Whether the line goes on in the next one.  The escape character does that when only blanks follow
 * it and it is not itself escaped.  *len becomes what is before it. */
static bool continues(const char *p, size_t *len, char escape)
{
	size_t n = *len;

	while (n && is_space(p[n - 1]))
		n--;
	if (!n || p[n - 1] != escape || (n > 1 && p[n - 2] == escape))
		return false;
	*len = n - 1;
	return true;
}

static void note(struct parser *s, unsigned int oddity)
{
	if (!s->file->oddities)
		s->file->oddity_line = s->in.line;
	s->file->oddities |= oddity;
}

/* Append what follows a line that goes on. */
static void read_continuation(struct parser *s, struct buf *text)
{
	const char *p, *q;
	size_t len, n;
	bool more = true;

	while (more && next_line(&s->in, &p, &len)) {
		q = p;
		n = len;
		trim(&q, &n);
		if (n && *q == '#')
			continue;
		if (!n) {
			note(s, DOCKERFILE_EMPTY_CONTINUATION);
			continue;
		}
		more = continues(p, &len, s->file->escape);
		buf_add(text, p, len);
	}
}

static int read_heredoc(struct parser *s, struct dockerfile_heredoc *h)
{
	auto_buf struct buf b = BUF_INIT(DOCKERFILE_MAX);
	size_t len, name_len = strlen(h->name);
	int begins = s->in.line;
	const char *p;

	while (next_line(&s->in, &p, &len)) {
		size_t bare = len;

		while (h->chomp && len && *p == '\t') {
			p++;
			len--;
			bare--;
		}
		bare -= bare && p[bare - 1] == '\r';
		if (bare == name_len && !memcmp(p, h->name, bare)) {
			h->content = arena_dupn(s->a, b.p, b.len);
			return buf_fail(&b, "the heredoc", s->e);
		}
		buf_add(&b, p, len);
		buf_puts(&b, "\n");
	}
	s->in.line = begins;
	return err_set(s->e, ERR_USAGE, "the heredoc '%.64s' has no end: want a line '%.64s'",
		       h->name, h->name);
}

static int read_heredocs(struct parser *s, struct dockerfile_instr *in)
{
	struct dockerfile_instr *to = in->child ? in->child : in;
	int r = dockerfile_instr_heredocs(in, s->file->escape, s->a, s->e);

	for (size_t i = 0; r >= 0 && i < to->heredocs_n; i++)
		r = read_heredoc(s, &to->heredocs[i]);
	return r;
}

static int add_instr(struct parser *s, const struct dockerfile_instr *in)
{
	struct dockerfile *f = s->file;

	if (f->n == DOCKERFILE_INSTRUCTIONS_MAX)
		return err_set(s->e, ERR_LIMIT, "more than %d instructions",
			       DOCKERFILE_INSTRUCTIONS_MAX);
	f->v = arena_room(s->a, f->v, f->n, sizeof(*f->v));
	f->v[f->n++] = *in;
	return 0;
}

/* FROM begins a stage; before the first one only ARG may stand. */
static int check_order(struct parser *s, const struct dockerfile_instr *in)
{
	s->from |= in->kind == DOCKERFILE_FROM;
	if (s->from || in->kind == DOCKERFILE_ARG)
		return 0;
	return err_set(s->e, ERR_USAGE, "%s before the first FROM: only ARG may stand there",
		       dockerfile_names[in->kind]);
}

static void count_case(struct parser *s, const struct dockerfile_instr *in)
{
	const char *c = in->source;
	bool upper = false, lower = false;

	for (; *c && !is_space(*c); c++) {
		upper |= *c >= 'A' && *c <= 'Z';
		lower |= *c >= 'a' && *c <= 'z';
	}
	s->upper += upper && !lower;
	s->lower += lower && !upper;
	if ((upper && lower) || (s->upper && s->lower))
		note(s, DOCKERFILE_MIXED_CASE);
}

/* The instruction whose first line is p; 0 and nothing for a comment or an empty line. */
static int read_instr(struct parser *s, const char *p, size_t len)
{
	auto_buf struct buf text = BUF_INIT(DOCKERFILE_MAX);
	struct dockerfile_instr in = {0};
	int line = s->in.line, r;
	unsigned int oddities = 0;

	trim(&p, &len);
	if (!len || *p == '#')
		return 0;
	if (continues(p, &len, s->file->escape)) {
		buf_add(&text, p, len);
		read_continuation(s, &text);
	} else {
		buf_add(&text, p, len);
	}
	r = dockerfile_instr_parse(text.p, s->file->escape, s->a, &in, &oddities, s->e);
	if (r >= 0)
		r = check_order(s, &in);
	if (r >= 0)
		r = read_heredocs(s, &in);
	if (r < 0) {
		s->in.line = line;
		return r;
	}
	if (oddities)
		note(s, oddities);
	count_case(s, &in);
	in.line = line;
	in.last_line = s->in.line;
	if (in.child) {
		in.child->line = in.line;
		in.child->last_line = in.last_line;
	}
	return add_instr(s, &in);
}

static int parse_lines(struct parser *s)
{
	const char *p;
	size_t len;
	int r = directives(s);

	while (r >= 0 && next_line(&s->in, &p, &len))
		r = read_instr(s, p, len);
	if (r < 0 || s->from)
		return r;
	s->in.line = 0;
	return err_set(s->e, ERR_USAGE, "no instruction FROM: a Dockerfile begins with one");
}

/* Before the first byte is looked at: size, NUL bytes, the byte order mark. */
static int admit(struct parser *s, const char *text, size_t len)
{
	const char *nul;

	if (len > DOCKERFILE_MAX)
		return err_set(s->e, ERR_LIMIT, "%zu bytes, at most %d are allowed", len,
			       DOCKERFILE_MAX);
	nul = memchr(text, 0, len);
	if (nul) {
		s->in.line = 1;
		for (const char *p = text; p < nul; p++)
			s->in.line += *p == '\n';
		return err_set(s->e, ERR_USAGE, "a NUL byte: this is no text");
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	s->in = (struct lines){.p = text, .end = text + len};
	return 0;
}

int dockerfile_parse(const char *text, size_t len, const char *name, struct arena *a,
		     struct dockerfile **out, int *line, struct err *e)
{
	struct dockerfile *f = arena_alloc(a, sizeof(*f));
	struct parser s = {.a = a, .file = f, .e = e};
	int r = admit(&s, text, len);

	if (r >= 0)
		r = parse_lines(&s);
	if (line)
		*line = r < 0 ? s.in.line : 0;
	if (r < 0 && s.in.line)
		return err_wrap(e, r, "%s:%d", name, s.in.line);
	if (r < 0)
		return err_wrap(e, r, "%s", name);
	*out = f;
	return 0;
}

int dockerfile_parse_one(const char *text, size_t len, const char *name, struct arena *a,
			 struct dockerfile_instr **out, struct err *e)
{
	struct dockerfile *f = arena_alloc(a, sizeof(*f));
	struct parser s = {.a = a, .file = f, .from = true, .e = e};
	const char *p;
	size_t n;
	int r = admit(&s, text, len);

	f->escape = '\\';
	while (r >= 0 && next_line(&s.in, &p, &n))
		r = read_instr(&s, p, n);
	if (r >= 0 && f->n != 1)
		r = err_set(e, ERR_USAGE, "%zu instructions, want one", f->n);
	if (r < 0)
		return err_wrap(e, r, "%s", name);
	*out = &f->v[0];
	return 0;
}

const char *dockerfile_flag(const struct dockerfile_instr *in, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < in->flags_n; i++)
		if (streq(in->flags[i].name, name))
			value = in->flags[i].value ? in->flags[i].value : "";
	return value;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/dockervar.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/glob.h"

#include <stdint.h>
#include <string.h>

/* Steps of a ${NAME/pattern/}, each start of a match being one run over the text. */
#define REPLACE_STEPS_MAX (UINT64_C(1) << 28)

struct reader {
	const struct dockervar *v;
	const char *p;
	struct arena *a;
	int depth;
	struct err *e;
};

/* Where characters go.  words is NULL unless blanks end a word. */
struct sink {
	struct buf text;
	struct strs *words;
	struct arena *a;
	bool open; /* a word has begun, if only with "" */
};

static void sink_end(struct sink *s)
{
	if (s->words && s->open)
		arena_strs_add(s->a, s->words, arena_dupn(s->a, s->text.p, s->text.len));
	if (s->words)
		s->text.len = 0;
	s->open = false;
}

static void sink_raw(struct sink *s, const char *p, size_t n)
{
	buf_add(&s->text, p, n);
	s->open = true;
}

static void sink_splitting(struct sink *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s->words && strchr(" \t\n\v\f\r", p[i]) && p[i])
			sink_end(s);
		else
			sink_raw(s, p + i, 1);
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A variable's name: a word, a number, or one of the shell's own.  Empty when there is none. */
static const char *read_name(struct reader *r)
{
	const char *start = r->p;

	if (is_name_start(*r->p))
		while (is_name_start(*r->p) || is_digit(*r->p))
			r->p++;
	else if (is_digit(*r->p))
		while (is_digit(*r->p))
			r->p++;
	else if (*r->p && strchr("@*#?-$!", *r->p))
		r->p++;
	return arena_dupn(r->a, start, (size_t)(r->p - start));
}

static int read_until(struct reader *r, char stop, bool keep_escapes, struct sink *out);

static int missing(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_USAGE, "unexpected end of statement while looking for matching %s",
		       what);
}

/* Read up to stop into a string of its own. */
static int read_part(struct reader *r, char stop, bool keep_escapes, const char **out)
{
	struct sink s = {.text = BUF_INIT(DOCKERVAR_MAX), .a = r->a};
	int ret = read_until(r, stop, keep_escapes, &s);

	if (ret >= 0)
		ret = buf_fail(&s.text, "the value", r->e);
	if (ret >= 0)
		*out = arena_dupn(r->a, s.text.p, s.text.len);
	buf_free(&s.text);
	return ret;
}

/* ${NAME#pattern} and its three sisters. */
static int trim(struct reader *r, char op, const char *word, const char *value, const char **out)
{
	bool longest = *word == op;
	size_t len = strlen(value);
	struct glob g;
	ssize_t cut;
	int ret = glob_shell(word + longest, strlen(word + longest), r->a, &g, r->e);

	if (ret < 0)
		return ret;
	cut =
	    op == '#' ? glob_prefix(&g, value, len, longest) : glob_suffix(&g, value, len, longest);
	if (cut < 0)
		cut = 0;
	*out = op == '#' ? value + cut : arena_dupn(r->a, value, len - (size_t)cut);
	return 0;
}

static int replace(struct reader *r, const char *pattern, const char *with, bool all,
		   const char *value, const char **out)
{
	size_t len = strlen(value), at = 0, with_len = strlen(with);
	auto_buf struct buf b = BUF_INIT(DOCKERVAR_MAX);
	struct glob g;
	int ret = glob_shell(pattern, strlen(pattern), r->a, &g, r->e);

	if (ret < 0)
		return ret;
	if ((uint64_t)len * len * (strlen(pattern) + 1) > REPLACE_STEPS_MAX)
		return err_set(r->e, ERR_LIMIT, "replacing '%.64s' in %zu bytes takes too long",
			       pattern, len);
	while (at < len) {
		ssize_t n = glob_prefix(&g, value + at, len - at, true);

		if (n <= 0) { /* an empty match replaces nothing */
			buf_add(&b, value + at++, 1);
			continue;
		}
		buf_add(&b, with, with_len);
		at += (size_t)n;
		if (!all)
			break;
	}
	buf_puts(&b, value + at);
	ret = buf_fail(&b, "the value", r->e);
	if (ret >= 0)
		*out = arena_dupn(r->a, b.p, b.len);
	return ret;
}

/* Behind "${NAME/": the pattern, what to put in its place, and the '}'. */
static int read_replacement(struct reader *r, const char *value, const char **out)
{
	bool all = *r->p == '/';
	const char *pattern = NULL, *with = NULL;
	int ret;

	r->p += all;
	ret = read_part(r, '/', true, &pattern);
	if (ret >= 0)
		ret = read_part(r, '}', true, &with);
	if (ret < 0)
		return ret;
	*out = "";
	return value ? replace(r, pattern, with, all, value, out) : 0;
}

/* '-' '+' '?', where the colon makes an empty value one that is not set. */
static int choose(struct reader *r, char op, bool colon, const char *name, const char *word,
		  const char *value, const char **out)
{
	bool set = value && (!colon || *value);

	if (op == '?' && !set)
		return err_set(r->e, ERR_USAGE, "%s: %s", name,
			       *word   ? word
			       : colon ? "is not set or empty"
				       : "is not set");
	if (op == '+')
		*out = set ? word : "";
	else
		*out = set ? value : word;
	return 0;
}

/* Behind "${". */
static int read_braces(struct reader *r, const char **out)
{
	const char *name = read_name(r), *value, *word = NULL;
	bool colon = *r->p == ':';
	char op;
	int ret;

	if (!*name)
		return err_set(r->e, ERR_USAGE, "bad substitution: '${' wants a name");
	value = r->v->get(r->v->ctx, name);
	r->p += colon;
	op = *r->p;
	if (!op)
		return missing(r, "}");
	r->p++;
	if (!colon && op == '}') {
		*out = value ? value : "";
		return 0;
	}
	if (!colon && op == '/')
		return read_replacement(r, value, out);
	if (!strchr(colon ? "-+?" : "-+?#%", op))
		return err_set(r->e, ERR_USAGE, "unsupported modifier (%s%c) in substitution of %s",
			       colon ? ":" : "", op, name);
	ret = read_part(r, '}', op == '#' || op == '%', &word);
	if (ret < 0)
		return ret;
	if (op == '#' || op == '%')
		return trim(r, op, word, value ? value : "", out);
	return choose(r, op, colon, name, word, value, out);
}

/* At '$'. */
static int read_dollar(struct reader *r, const char **out)
{
	const char *name;
	int ret;

	r->p++;
	if (*r->p == '{') {
		r->p++;
		if (++r->depth > DOCKERVAR_DEPTH_MAX)
			return err_set(r->e, ERR_LIMIT, "substitutions nested more than %d deep",
				       DOCKERVAR_DEPTH_MAX);
		ret = read_braces(r, out);
		r->depth--;
		return ret;
	}
	name = read_name(r);
	*out = "$";
	if (*name) {
		const char *value = r->v->get(r->v->ctx, name);

		*out = value ? value : "";
	}
	return 0;
}

static int read_single_quotes(struct reader *r, struct sink *out)
{
	const char *end = strchr(r->p + 1, '\'');

	if (!end)
		return missing(r, "single-quote");
	sink_raw(out, r->p + 1, (size_t)(end - r->p - 1));
	r->p = end + 1;
	return 0;
}

static int read_double_quotes(struct reader *r, struct sink *out)
{
	r->p++;
	out->open = true;
	while (*r->p != '"') {
		const char *value = NULL;
		int ret;

		if (!*r->p)
			return missing(r, "double-quote");
		if (*r->p == '$') {
			ret = read_dollar(r, &value);
			if (ret < 0)
				return ret;
			sink_raw(out, value, strlen(value));
			continue;
		}
		/* Only these lose their meaning; before others the escape is itself. */
		if (*r->p == r->v->escape && r->p[1] &&
		    (r->p[1] == '"' || r->p[1] == '$' || r->p[1] == r->v->escape))
			r->p++;
		sink_raw(out, r->p++, 1);
	}
	r->p++;
	return 0;
}

/* One character, quoted string or variable. */
static int read_one(struct reader *r, bool keep_escapes, struct sink *out)
{
	const char *value = NULL;
	int ret;

	if (*r->p == '\'' && !r->v->no_quotes)
		return read_single_quotes(r, out);
	if (*r->p == '"' && !r->v->no_quotes)
		return read_double_quotes(r, out);
	if (*r->p == '$') {
		ret = read_dollar(r, &value);
		if (ret >= 0)
			sink_splitting(out, value, strlen(value));
		return ret;
	}
	if (*r->p == r->v->escape) {
		if (keep_escapes)
			sink_raw(out, r->p, 1);
		r->p++;
		if (*r->p) /* at the very end it is dropped */
			sink_raw(out, r->p++, 1);
		return 0;
	}
	sink_splitting(out, r->p++, 1);
	return 0;
}

static int read_until(struct reader *r, char stop, bool keep_escapes, struct sink *out)
{
	while (*r->p && *r->p != stop) {
		int ret = read_one(r, keep_escapes, out);

		if (ret < 0)
			return ret;
		if (out->text.failed)
			return buf_fail(&out->text, "the value", r->e);
	}
	if (stop && !*r->p)
		return missing(r, (char[]){stop, 0});
	r->p += stop != 0;
	return 0;
}

static int expand(const struct dockervar *v, const char *word, struct arena *a, struct sink *s,
		  struct err *e)
{
	struct reader r = {.v = v, .p = word, .a = a, .e = e};
	int ret = read_until(&r, 0, false, s);

	return ret < 0 ? ret : buf_fail(&s->text, "the value", e);
}

int dockervar_word(const struct dockervar *v, const char *word, struct arena *a, const char **out,
		   struct err *e)
{
	struct sink s = {.text = BUF_INIT(DOCKERVAR_MAX), .a = a};
	int ret = expand(v, word, a, &s, e);

	if (ret >= 0)
		*out = arena_dupn(a, s.text.p, s.text.len);
	buf_free(&s.text);
	return ret;
}

int dockervar_words(const struct dockervar *v, const char *word, struct arena *a, struct strs *out,
		    struct err *e)
{
	struct strs words = {0};
	struct sink s = {.text = BUF_INIT(DOCKERVAR_MAX), .words = &words, .a = a};
	int ret = expand(v, word, a, &s, e);

	if (ret >= 0) {
		sink_end(&s);
		*out = words;
	}
	buf_free(&s.text);
	return ret;
}

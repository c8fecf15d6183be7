/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/dockerfile_instr.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const char *const flag_lists[] = {
#define X(k, name, flags) flags,
    DOCKERFILE_KINDS(X)
#undef X
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == '\n';
}

static const char *skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static const char *skip_text(const char *p)
{
	while (*p && !is_blank(*p))
		p++;
	return p;
}

/* Where the word at p ends, blanks inside quotes belonging to it. */
static const char *quoted_end(const char *p, char escape)
{
	char quote = 0;

	for (; *p && (quote || !is_blank(*p)); p++) {
		if (*p == escape && p[1] && quote != '\'')
			p++;
		else if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? 0 : *p;
	}
	return p;
}

/* The next word, as it stands; NULL at the end of the text. */
static char *quoted_word(const char **p, char escape, struct arena *a)
{
	const char *start = skip_blanks(*p);

	if (!*start)
		return NULL;
	*p = quoted_end(start, escape);
	return arena_dupn(a, start, (size_t)(*p - start));
}

/* Take away the quotes of a word and let its escapes take effect. */
static void unquote(char *word, char escape)
{
	char quote = 0, *to = word;

	for (const char *p = word; *p; p++) {
		if (*p == escape && p[1] && quote != '\'')
			*to++ = *++p;
		else if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? 0 : *p;
		else
			*to++ = *p;
	}
	*to = 0;
}

static void plain_words(const char *p, struct arena *a, struct strs *out)
{
	for (p = skip_blanks(p); *p; p = skip_blanks(p)) {
		const char *end = skip_text(p);

		arena_strs_add(a, out, arena_dupn(a, p, (size_t)(end - p)));
		p = end;
	}
}

/* 1 and the words when the text is an array of strings, 0 when it is no JSON: then it is text. */
static int json_words(const char *p, struct arena *a, struct strs *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct err ignored = ERR_INIT;

	if (*p != '[' || json_parse(p, strlen(p), "arguments", &j, &ignored) < 0)
		return 0;
	if (!json_is_array(j))
		return 0;
	for (size_t i = 0; i < json_length(j); i++) {
		const char *s = json_string(json_at(j, i));

		if (!s)
			return err_set(e, ERR_USAGE,
				       "an array of arguments holds something that is no string");
		arena_strs_add(a, out, arena_dup(a, s));
	}
	return 1;
}

/* ---- names and flags ---- */

static size_t distance(const char *a, const char *b)
{
	size_t row[32], na = strlen(a), nb = strlen(b);

	if (na >= 32 || nb >= 32)
		return 32;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t above = row[j], best = diagonal;

			if (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]))
				best++;
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[nb];
}

static int find_kind(const char *word, enum dockerfile_kind *out, struct err *e)
{
	const char *near = NULL;

	for (unsigned int k = 0; k < DOCKERFILE_KIND_MAX_; k++) {
		if (!strcasecmp(word, dockerfile_names[k])) {
			*out = (enum dockerfile_kind)k;
			return 0;
		}
		if (distance(word, dockerfile_names[k]) <= 2)
			near = dockerfile_names[k];
	}
	return err_set(e, ERR_USAGE, "unknown instruction: %.64s%s%s%s", word,
		       near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* Whether kind takes the flag; *wants_value says how. */
static bool flag_known(enum dockerfile_kind kind, const char *name, bool *wants_value)
{
	size_t len = strlen(name);

	for (const char *p = flag_lists[kind]; *p;) {
		size_t n = strcspn(p, " ");

		*wants_value = n && p[n - 1] == '=';
		if (n - *wants_value == len && !memcmp(p, name, len))
			return true;
		p += n;
		p += *p == ' ';
	}
	return false;
}

static bool may_repeat(const char *name)
{
	return streq(name, "mount") || streq(name, "exclude") || streq(name, "device");
}

static int check_flag(const struct dockerfile_instr *in, const struct dockerfile_flag *f,
		      struct err *e)
{
	bool wants_value = false;

	if (!flag_known(in->kind, f->name, &wants_value))
		return err_set(e, ERR_USAGE, "unknown flag --%.64s of %s%s%s", f->name,
			       dockerfile_names[in->kind],
			       *flag_lists[in->kind] ? ", want one of " : "", flag_lists[in->kind]);
	if (wants_value && (!f->value || !*f->value))
		return err_set(e, ERR_USAGE, "--%s of %s wants a value: --%s=...", f->name,
			       dockerfile_names[in->kind], f->name);
	if (!wants_value && f->value && !streq(f->value, "true") && !streq(f->value, "false"))
		return err_set(e, ERR_USAGE, "--%s=%.64s: want true or false", f->name, f->value);
	if (!may_repeat(f->name) && dockerfile_flag(in, f->name))
		return err_set(e, ERR_USAGE, "--%s is given twice", f->name);
	return 0;
}

/* Flags stand before everything else.  *p is moved to what is behind them. */
static int parse_flags(const char **p, char escape, struct arena *a, struct dockerfile_instr *in,
		       struct err *e)
{
	struct dockerfile_flag all[DOCKERFILE_FLAGS_MAX];

	in->flags = all;
	for (*p = skip_blanks(*p); (*p)[0] == '-' && (*p)[1] == '-'; *p = skip_blanks(*p)) {
		char *name = quoted_word(p, escape, a), *value;
		int r;

		unquote(name, escape);
		name += 2;
		if (!*name) /* "--" ends them */
			break;
		if (in->flags_n == DOCKERFILE_FLAGS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d flags", DOCKERFILE_FLAGS_MAX);
		value = strchr(name, '=');
		if (value)
			*value++ = 0;
		r = check_flag(in, &(struct dockerfile_flag){name, value}, e);
		if (r < 0)
			return r;
		all[in->flags_n++] = (struct dockerfile_flag){name, value};
	}
	*p = skip_blanks(*p);
	in->flags = arena_array(a, in->flags_n + 1, sizeof(*in->flags));
	memcpy(in->flags, all, in->flags_n * sizeof(*all));
	return 0;
}

/* ---- arguments ---- */

static int need(bool ok, const struct dockerfile_instr *in, const char *want, struct err *e)
{
	if (ok)
		return 0;
	return err_set(e, ERR_USAGE, "%s wants %s", dockerfile_names[in->kind], want);
}

/* JSON words, or the text as it stands for a shell. */
static int parse_command(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	int r = json_words(p, a, &in->args, e);

	if (r < 0)
		return r;
	in->json = r > 0;
	if (!in->json && *p)
		arena_strs_add(a, &in->args, arena_dup(a, p));
	return 0;
}

static int parse_paths(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	int r = json_words(p, a, &in->args, e);

	if (r < 0)
		return r;
	in->json = r > 0;
	if (!in->json)
		plain_words(p, a, &in->args);
	return 0;
}

static int parse_copy(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	int r = parse_paths(p, a, in, e);

	return r < 0 ? r : need(in->args.n >= 2, in, "at least one source and a destination", e);
}

static int parse_volume(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	int r = parse_paths(p, a, in, e);

	for (size_t i = 0; r >= 0 && i < in->args.n; i++)
		r = need(*skip_blanks(in->args.v[i]) != 0, in, "paths that are not empty", e);
	return r < 0 ? r : need(in->args.n > 0, in, "at least one path", e);
}

static int parse_run(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	int r = parse_command(p, a, in, e);

	return r < 0 ? r : need(in->args.n > 0, in, "a command", e);
}

static int parse_shell(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	int r = parse_command(p, a, in, e);

	return r < 0
		   ? r
		   : need(in->json && in->args.n > 0, in, "a JSON array: [\"/bin/sh\", \"-c\"]", e);
}

static int parse_healthcheck(const char *p, struct arena *a, struct dockerfile_instr *in,
			     struct err *e)
{
	const char *end = skip_text(p);
	const char *type = arena_dupn(a, p, (size_t)(end - p));
	bool none = !strcasecmp(type, "NONE");
	int r = need(none || !strcasecmp(type, "CMD"), in, "NONE or CMD", e);

	if (r < 0)
		return r;
	end = skip_blanks(end);
	r = need(none != (*end != 0), in, none ? "nothing behind NONE" : "a command behind CMD", e);
	if (r < 0)
		return r;
	arena_strs_add(a, &in->args, none ? "NONE" : "CMD");
	return parse_command(end, a, in, e);
}

static int parse_from(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	plain_words(p, a, &in->args);
	return need(in->args.n == 1 || (in->args.n == 3 && !strcasecmp(in->args.v[1], "AS")), in,
		    "IMAGE or IMAGE AS NAME", e);
}

static int parse_expose(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	plain_words(p, a, &in->args);
	return need(in->args.n > 0, in, "at least one port", e);
}

static int parse_text(const char *p, struct arena *a, struct dockerfile_instr *in, struct err *e)
{
	arena_strs_add(a, &in->args, arena_dup(a, p));
	return need(*p != 0, in, "an argument", e);
}

static int parse_one_word(const char *p, struct arena *a, struct dockerfile_instr *in,
			  struct err *e)
{
	arena_strs_add(a, &in->args, arena_dup(a, p));
	return need(*p && !*skip_text(p), in, "exactly one argument", e);
}

/* KEY=VALUE ..., NAME for ARG; and ENV KEY VALUE, as it was before. */
static int parse_pairs(const char *p, char escape, struct arena *a, struct dockerfile_instr *in,
		       unsigned int *oddities, struct err *e)
{
	bool arg = in->kind == DOCKERFILE_ARG;
	const char *rest = p, *word, *end = skip_text(p);
	struct strs words = {0};

	while ((word = quoted_word(&rest, escape, a)))
		arena_strs_add(a, &words, word);
	if (words.n == 0)
		return need(false, in, arg ? "NAME or NAME=VALUE" : "KEY=VALUE", e);
	in->pairs = arena_array(a, words.n, sizeof(*in->pairs));
	if (!arg && !strchr(words.v[0], '=')) {
		*oddities |= DOCKERFILE_LEGACY_PAIR;
		in->pairs_n = 1;
		in->pairs[0].key = words.v[0];
		in->pairs[0].value = arena_dup(a, skip_blanks(end));
		return need(words.n > 1, in, "KEY=VALUE", e);
	}
	for (size_t i = 0; i < words.n; i++) {
		char *key = arena_dup(a, words.v[i]), *value = strchr(key, '=');

		if (!value && !arg)
			return err_set(e, ERR_USAGE, "'%.64s' has no '=', %s wants KEY=VALUE", key,
				       dockerfile_names[in->kind]);
		if (value)
			*value++ = 0;
		if (!*key)
			return err_set(e, ERR_USAGE, "a name before '=' is empty");
		in->pairs[in->pairs_n++] = (struct dockerfile_pair){key, value};
	}
	return 0;
}

static int parse_onbuild(const char *p, char escape, struct arena *a, struct dockerfile_instr *in,
			 unsigned int *oddities, struct err *e)
{
	const char *end = skip_text(p);
	const char *word = arena_dupn(a, p, (size_t)(end - p));

	if (!*p)
		return need(false, in, "an instruction", e);
	/* Asked before it is parsed, so that a chain of them is no recursion. */
	if (!strcasecmp(word, "ONBUILD") || !strcasecmp(word, "FROM") ||
	    !strcasecmp(word, "MAINTAINER"))
		return err_set(e, ERR_USAGE, "%s is not allowed behind ONBUILD", word);
	in->child = arena_alloc(a, sizeof(*in->child));
	arena_strs_add(a, &in->args, arena_dup(a, p));
	return dockerfile_instr_parse(p, escape, a, in->child, oddities, e);
}

static int parse_arguments(const char *p, char escape, struct arena *a, struct dockerfile_instr *in,
			   unsigned int *oddities, struct err *e)
{
	switch (in->kind) {
	case DOCKERFILE_ADD:
	case DOCKERFILE_COPY:
		return parse_copy(p, a, in, e);
	case DOCKERFILE_ARG:
	case DOCKERFILE_ENV:
	case DOCKERFILE_LABEL:
		return parse_pairs(p, escape, a, in, oddities, e);
	case DOCKERFILE_CMD:
	case DOCKERFILE_ENTRYPOINT:
		return parse_command(p, a, in, e);
	case DOCKERFILE_RUN:
		return parse_run(p, a, in, e);
	case DOCKERFILE_SHELL:
		return parse_shell(p, a, in, e);
	case DOCKERFILE_HEALTHCHECK:
		return parse_healthcheck(p, a, in, e);
	case DOCKERFILE_FROM:
		return parse_from(p, a, in, e);
	case DOCKERFILE_EXPOSE:
		return parse_expose(p, a, in, e);
	case DOCKERFILE_VOLUME:
		return parse_volume(p, a, in, e);
	case DOCKERFILE_ONBUILD:
		return parse_onbuild(p, escape, a, in, oddities, e);
	case DOCKERFILE_STOPSIGNAL:
	case DOCKERFILE_USER:
		return parse_one_word(p, a, in, e);
	case DOCKERFILE_MAINTAINER:
	case DOCKERFILE_WORKDIR:
		return parse_text(p, a, in, e);
	case DOCKERFILE_KIND_MAX_:
		break;
	}
	return -EINVAL;
}

/* text without the blanks at both ends. */
static const char *trimmed(const char *text, struct arena *a)
{
	const char *p = skip_blanks(text);
	size_t n = strlen(p);

	while (n && is_blank(p[n - 1]))
		n--;
	return arena_dupn(a, p, n);
}

int dockerfile_instr_parse(const char *text, char escape, struct arena *a,
			   struct dockerfile_instr *out, unsigned int *oddities, struct err *e)
{
	struct dockerfile_instr in = {.source = trimmed(text, a)};
	const char *p = skip_text(in.source);
	int r = find_kind(arena_dupn(a, in.source, (size_t)(p - in.source)), &in.kind, e);

	if (r >= 0)
		r = parse_flags(&p, escape, a, &in, e);
	if (r >= 0)
		r = parse_arguments(p, escape, a, &in, oddities, e);
	if (r >= 0)
		*out = in;
	return r;
}

/* ---- heredocs ---- */

/* [FD]<<[-]WORD, the whole word. */
static bool heredoc_word(const char *word, struct arena *a, struct dockerfile_heredoc *out)
{
	const char *p = word, *name;
	struct dockerfile_heredoc h = {.expand = true};
	char *w;

	for (; *p >= '0' && *p <= '9' && h.fd < 1000; p++)
		h.fd = h.fd * 10 + (unsigned int)(*p - '0');
	if (p[0] != '<' || p[1] != '<')
		return false;
	p += 2;
	h.chomp = *p == '-';
	p += h.chomp;
	name = p;
	if (!*name || strchr(name, '<'))
		return false;
	h.name = w = arena_alloc(a, strlen(name) + 1);
	for (; *name; name++)
		if (strchr("'\"\\", *name))
			h.expand = false;
		else
			*w++ = *name;
	*out = h;
	return *h.name != 0;
}

int dockerfile_instr_heredocs(struct dockerfile_instr *in, char escape, struct arena *a,
			      struct err *e)
{
	struct dockerfile_instr *to = in->child ? in->child : in;
	struct dockerfile_heredoc all[DOCKERFILE_HEREDOCS_MAX];
	const char *p = to->source, *word;
	size_t n = 0;

	if (to->json || (to->kind != DOCKERFILE_ADD && to->kind != DOCKERFILE_COPY &&
			 to->kind != DOCKERFILE_RUN))
		return 0;
	if (!strstr(p, "<<")) /* nearly always */
		return 0;
	while ((word = quoted_word(&p, escape, a))) {
		struct dockerfile_heredoc h;

		if (!heredoc_word(word, a, &h))
			continue;
		if (n == DOCKERFILE_HEREDOCS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d heredocs",
				       DOCKERFILE_HEREDOCS_MAX);
		all[n++] = h;
	}
	to->heredocs = arena_array(a, n + 1, sizeof(*all));
	memcpy(to->heredocs, all, n * sizeof(*all));
	to->heredocs_n = n;
	return 0;
}

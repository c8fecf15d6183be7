/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/glob.h"
#include "base/arena.h"
#include "base/err.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <string.h>

enum kind {
	LITERAL,   /* the character at .p */
	ANY,	   /* one character */
	ANY_NAME,  /* one that is not '/' */
	STAR,	   /* any number of characters */
	STAR_NAME, /* ... that are not '/' */
	STAR_DIRS, /* nothing, or characters of which the last is '/' */
	CLASS,	   /* one of, or none of, the ranges between .p and .p + .len */
};

struct glob_token {
	enum kind kind;
	bool negated;
	const char *p;
	size_t len;
};

/* States: on[i] says that everything before token i has matched.  For STAR_DIRS, in[i] says that
 * its characters have begun, which may end only behind a '/'. */
struct states {
	bool *on, *in;
};

static size_t char_len(const char *s, size_t len)
{
	size_t n = utf8_sequence(s, len);

	return n ? n : 1;
}

/* The character before s + len. */
static size_t char_len_back(const char *s, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++)
		if (utf8_sequence(s + len - n, n) == n)
			return n;
	return 1;
}

/* "[...]": everything up to the first ']' that is not escaped and not the first. */
static int class_token(const char *p, const char *end, struct glob_token *t, const char **next,
		       const char *pattern, struct err *e)
{
	const char *q = p + 1;

	t->kind = CLASS;
	t->negated = q < end && *q == '^';
	q += t->negated;
	t->p = q;
	while (q < end && *q != ']')
		q += *q == '\\' && q + 1 < end ? 2 : 1;
	t->len = (size_t)(q - t->p);
	if (q >= end || t->len == 0)
		return err_set(e, ERR_USAGE, "pattern '%s': a class has no end, want [a-z]",
			       pattern);
	*next = q + 1;
	return 0;
}

/* A run of stars.  Two or more cross directories; a '/' behind them belongs to them. */
static const char *stars_token(const char *p, const char *end, struct glob_token *t)
{
	const char *q = p;

	while (q < end && *q == '*')
		q++;
	if (q - p == 1) {
		t->kind = STAR_NAME;
		return q;
	}
	if (q < end && *q == '/')
		q++;
	t->kind = q == end ? STAR : STAR_DIRS;
	return q;
}

static const char *literal_token(const char *p, const char *end, struct glob_token *t)
{
	if (*p == '\\' && p + 1 < end)
		p++;
	t->kind = LITERAL;
	t->p = p;
	t->len = char_len(p, (size_t)(end - p));
	return p + t->len;
}

static struct glob_token *tokens_new(size_t len, struct arena *a, struct err *e)
{
	if (len > GLOB_PATTERN_MAX) {
		err_set(e, ERR_LIMIT, "a pattern of %zu bytes, at most %d are allowed", len,
			GLOB_PATTERN_MAX);
		return NULL;
	}
	return arena_array(a, len + 1, sizeof(struct glob_token));
}

int glob_path(const char *pattern, struct arena *a, struct glob *out, struct err *e)
{
	const char *p = pattern, *end = p + strlen(p);
	struct glob_token *v = tokens_new((size_t)(end - p), a, e);
	size_t n = 0;
	int r = v ? 0 : -EOVERFLOW;

	while (r >= 0 && p < end) {
		struct glob_token *t = &v[n++];

		if (*p == '*') {
			p = stars_token(p, end, t);
		} else if (*p == '[') {
			r = class_token(p, end, t, &p, pattern, e);
		} else if (*p == '?') {
			t->kind = ANY_NAME;
			p++;
		} else {
			p = literal_token(p, end, t);
		}
	}
	if (r >= 0)
		*out = (struct glob){.v = v, .n = n};
	return r;
}

int glob_shell(const char *pattern, size_t len, struct arena *a, struct glob *out, struct err *e)
{
	const char *p = pattern, *end = p + len;
	struct glob_token *v = tokens_new(len, a, e);
	size_t n = 0;

	if (!v)
		return -EOVERFLOW;
	while (p < end) {
		struct glob_token *t = &v[n++];

		if (*p == '*' || *p == '?')
			t->kind = *p++ == '*' ? STAR : ANY;
		else
			p = literal_token(p, end, t);
	}
	*out = (struct glob){.v = v, .n = n};
	return 0;
}

static bool class_has(const struct glob_token *t, const char *c, size_t len)
{
	const char *p = t->p, *end = p + t->len;
	bool found = false;

	while (p < end && !found) {
		const char *low, *high;
		size_t low_len, high_len;

		p += *p == '\\' && p + 1 < end;
		low = high = p;
		low_len = high_len = char_len(p, (size_t)(end - p));
		p += low_len;
		if (end - p >= 2 && *p == '-') {
			p += 1 + (p[1] == '\\' && end - p >= 3);
			high = p;
			high_len = char_len(p, (size_t)(end - p));
			p += high_len;
		}
		/* UTF-8 sorts like the characters it stands for: shorter ones first. */
		found = (len > low_len || (len == low_len && memcmp(c, low, len) >= 0)) &&
			(len < high_len || (len == high_len && memcmp(c, high, len) <= 0));
	}
	return found != t->negated;
}

static bool is_star(enum kind k)
{
	return k == STAR || k == STAR_NAME || k == STAR_DIRS;
}

static bool token_takes(const struct glob_token *t, const char *c, size_t len)
{
	switch (t->kind) {
	case LITERAL:
		return t->len == len && memcmp(t->p, c, len) == 0;
	case ANY_NAME:
	case STAR_NAME:
		return *c != '/';
	case CLASS:
		return *c != '/' && class_has(t, c, len);
	case ANY:
	case STAR:
	case STAR_DIRS:
		return true;
	}
	return false;
}

/* Stars match nothing: what stands before one also stands behind it. */
static void states_close(const struct glob *g, struct states *s, bool backwards)
{
	for (size_t k = 0; k < g->n; k++) {
		size_t i = backwards ? g->n - k : k;

		if (!s->on[i])
			continue;
		if (backwards ? is_star(g->v[i - 1].kind) : is_star(g->v[i].kind))
			s->on[backwards ? i - 1 : i + 1] = true;
	}
}

/* One character forwards: from before the tokens to behind them. */
static void states_step(const struct glob *g, const struct states *from, struct states *to,
			const char *c, size_t len)
{
	memset(to->on, 0, (g->n + 1) * sizeof(bool));
	memset(to->in, 0, (g->n + 1) * sizeof(bool));
	for (size_t i = 0; i < g->n; i++) {
		const struct glob_token *t = &g->v[i];

		if (!(from->on[i] || from->in[i]) || !token_takes(t, c, len))
			continue;
		if (t->kind == STAR_DIRS) {
			to->in[i] = true;
			to->on[i + 1] |= *c == '/';
		} else if (is_star(t->kind)) {
			to->on[i] = true;
		} else {
			to->on[i + 1] = true;
		}
	}
	states_close(g, to, false);
}

/* One character backwards, for the tokens of a shell pattern: on[i] says that everything from token
 * i on has matched. */
static void states_step_back(const struct glob *g, const struct states *from, struct states *to,
			     const char *c, size_t len)
{
	memset(to->on, 0, (g->n + 1) * sizeof(bool));
	for (size_t i = g->n; i > 0; i--) {
		const struct glob_token *t = &g->v[i - 1];

		if (from->on[i] && token_takes(t, c, len))
			to->on[is_star(t->kind) ? i : i - 1] = true;
	}
	states_close(g, to, true);
}

static void states_swap(struct states *a, struct states *b)
{
	struct states t = *a;

	*a = *b;
	*b = t;
}

enum goal {
	SHORTEST, /* bytes matched */
	LONGEST,
	BENEATH, /* all of it, or a directory it is in: >= 0 */
	ALIVE,	 /* more text could still make it match: >= 0 */
};

/* What has matched when at bytes of text are read is the answer to goal. */
static bool is_answer(enum goal goal, const char *text, size_t at, size_t len)
{
	return goal == SHORTEST || (goal == BENEATH && (at == len || text[at] == '/'));
}

static bool states_any(const struct glob *g, const struct states *s)
{
	return memchr(s->on, true, (g->n + 1) * sizeof(bool)) ||
	       memchr(s->in, true, (g->n + 1) * sizeof(bool));
}

static ssize_t run(const struct glob *g, const char *text, size_t len, enum goal goal)
{
	bool room[4][GLOB_PATTERN_MAX + 1];
	struct states now = {room[0], room[1]}, next = {room[2], room[3]};
	ssize_t longest = -1;

	memset(now.on, 0, (g->n + 1) * sizeof(bool));
	memset(now.in, 0, (g->n + 1) * sizeof(bool));
	now.on[0] = true;
	states_close(g, &now, false);
	for (size_t at = 0;;) {
		size_t n;

		if (now.on[g->n]) {
			longest = (ssize_t)at;
			if (is_answer(goal, text, at, len))
				return longest;
		}
		if (at == len || !states_any(g, &now))
			break;
		n = char_len(text + at, len - at);
		states_step(g, &now, &next, text + at, n);
		states_swap(&now, &next);
		at += n;
	}
	if (goal == ALIVE)
		return states_any(g, &now) ? 0 : -1;
	return goal == LONGEST ? longest : -1;
}

bool glob_match(const struct glob *g, const char *text, size_t len)
{
	return run(g, text, len, LONGEST) == (ssize_t)len;
}

bool glob_match_beneath(const struct glob *g, const char *path)
{
	return run(g, path, strlen(path), BENEATH) >= 0;
}

bool glob_alive(const struct glob *g, const char *text, size_t len)
{
	return run(g, text, len, ALIVE) >= 0;
}

ssize_t glob_prefix(const struct glob *g, const char *text, size_t len, bool longest)
{
	return run(g, text, len, longest ? LONGEST : SHORTEST);
}

ssize_t glob_suffix(const struct glob *g, const char *text, size_t len, bool longest)
{
	bool room[2][GLOB_PATTERN_MAX + 1];
	struct states now = {.on = room[0]}, next = {.on = room[1]};
	ssize_t best = -1;

	memset(now.on, 0, (g->n + 1) * sizeof(bool));
	now.on[g->n] = true;
	states_close(g, &now, true);
	for (size_t left = len;;) {
		size_t n;

		if (now.on[0]) {
			best = (ssize_t)(len - left);
			if (!longest)
				break;
		}
		if (left == 0)
			break;
		n = char_len_back(text, left);
		left -= n;
		states_step_back(g, &now, &next, text + left, n);
		states_swap(&now, &next);
	}
	return best;
}

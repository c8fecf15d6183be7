/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob - input: one byte, a pattern up to a NUL, a text.  An even byte means a path pattern, an odd
 * one a shell pattern.  What matches is compared with a recursive matcher that reads the pattern as
 * the header describes it; prefixes, suffixes, what is beneath and what is alive with
 * glob_match() of every part of the text.
 */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/glob.h"
#include "fmt/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIDE 48 /* bytes of pattern and text: the recursion is remembered in SIDE * SIDE cells */

struct reading {
	const char *p, *t; /* pattern and text */
	size_t plen, tlen;
	bool shell;
	char known[SIDE + 1][SIDE + 1]; /* 1: no, 2: yes */
};

static size_t step(const char *s, size_t len)
{
	size_t n = utf8_sequence(s, len);

	return n ? n : 1;
}

/* Ordered as numbers: by length, then by bytes. */
static int order(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen != blen ? (alen < blen ? -1 : 1) : memcmp(a, b, alen);
}

/* One character of a class at *i, without its backslash. */
static size_t member(const struct reading *r, size_t *i, size_t end)
{
	size_t n;

	*i += r->p[*i] == '\\' && *i + 1 < end;
	n = step(r->p + *i, end - *i);
	*i += n;
	return n;
}

/* Is the character c in "[...]" at i, whose ']' is at end? */
static bool in_class(const struct reading *r, size_t i, size_t end, const char *c, size_t n)
{
	bool negated = r->p[++i] == '^', found = false;

	i += negated;
	while (i < end) {
		size_t low = member(r, &i, end), high = low;
		const char *from = r->p + i - low, *to = from;

		if (end - i >= 2 && r->p[i] == '-') {
			i++;
			high = member(r, &i, end);
			to = r->p + i - high;
		}
		found |= order(c, n, from, low) >= 0 && order(c, n, to, high) <= 0;
	}
	return found != negated;
}

static size_t class_end(const struct reading *r, size_t i)
{
	i += r->p[i + 1] == '^' ? 2 : 1;
	while (r->p[i] != ']')
		i += r->p[i] == '\\' && i + 1 < r->plen ? 2 : 1;
	return i;
}

static bool matches(struct reading *r, size_t i, size_t at);

/* Stars at i. */
static bool stars(struct reading *r, size_t i, size_t at)
{
	bool many = r->shell, dirs = false;
	size_t n = i + 1;

	if (!r->shell && n < r->plen && r->p[n] == '*') {
		while (n < r->plen && r->p[n] == '*')
			n++;
		n += n < r->plen && r->p[n] == '/';
		many = n == r->plen;
		dirs = !many;
	}
	if (matches(r, n, at))
		return true;
	for (size_t k = at; k < r->tlen;) {
		if (!many && !dirs && r->t[k] == '/')
			return false;
		k += step(r->t + k, r->tlen - k);
		if ((!dirs || r->t[k - 1] == '/') && matches(r, n, k))
			return true;
	}
	return false;
}

static bool one(struct reading *r, size_t i, size_t at)
{
	size_t n = at < r->tlen ? step(r->t + at, r->tlen - at) : 0, k;

	if (!n)
		return false;
	if (r->p[i] == '?')
		return (r->shell || r->t[at] != '/') && matches(r, i + 1, at + n);
	if (r->p[i] == '[' && !r->shell) {
		k = class_end(r, i);
		return r->t[at] != '/' && in_class(r, i, k, r->t + at, n) &&
		       matches(r, k + 1, at + n);
	}
	i += r->p[i] == '\\' && i + 1 < r->plen;
	k = step(r->p + i, r->plen - i);
	return k == n && memcmp(r->p + i, r->t + at, n) == 0 && matches(r, i + k, at + n);
}

static bool matches(struct reading *r, size_t i, size_t at)
{
	char *known = &r->known[i][at];
	bool yes;

	if (*known)
		return *known == 2;
	yes = i == r->plen ? at == r->tlen : r->p[i] == '*' ? stars(r, i, at) : one(r, i, at);
	*known = yes ? 2 : 1;
	return yes;
}

static bool whole(const struct reading *r, const char *text, size_t len)
{
	struct reading *own = calloc(1, sizeof(*own));
	bool yes;

	if (!own)
		abort();
	own->p = r->p;
	own->plen = r->plen;
	own->shell = r->shell;
	own->t = text;
	own->tlen = len;
	yes = matches(own, 0, 0);
	free(own);
	return yes;
}

static bool is_utf8(const char *s, size_t len)
{
	for (size_t n; len; s += n, len -= n)
		if (!(n = utf8_sequence(s, len)))
			return false;
	return true;
}

/* Of each beginning of the text. */
static void check_beginnings(const struct glob *g, const struct reading *r)
{
	ssize_t shortest = -1, longest = -1;
	bool beneath = false, alive = glob_match(g, r->t, r->tlen);

	for (size_t at = 0;; at += step(r->t + at, r->tlen - at)) {
		if (glob_match(g, r->t, at) != whole(r, r->t, at))
			abort();
		if (glob_match(g, r->t, at)) {
			longest = (ssize_t)at;
			shortest = shortest < 0 ? longest : shortest;
			beneath |= at == r->tlen || r->t[at] == '/';
		}
		/* What matches in the end could match all the time. */
		if (alive && !glob_alive(g, r->t, at))
			abort();
		if (at == r->tlen)
			break;
	}
	if (glob_prefix(g, r->t, r->tlen, false) != shortest ||
	    glob_prefix(g, r->t, r->tlen, true) != longest ||
	    (!memchr(r->t, 0, r->tlen) && glob_match_beneath(g, r->t) != beneath))
		abort();
}

/* Of each end, where forwards and backwards one finds the same characters. */
static void check_ends(const struct glob *g, const struct reading *r)
{
	ssize_t shortest = -1, longest = -1;

	for (size_t at = 0;; at += step(r->t + at, r->tlen - at)) {
		if (glob_match(g, r->t + at, r->tlen - at)) {
			shortest = (ssize_t)(r->tlen - at);
			longest = longest < 0 ? shortest : longest;
		}
		if (at == r->tlen)
			break;
	}
	if (glob_suffix(g, r->t, r->tlen, false) != shortest ||
	    glob_suffix(g, r->t, r->tlen, true) != longest)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char pattern[SIDE + 1] = "", text[SIDE + 1] = "";
	auto_arena struct arena a = ARENA_INIT;
	struct reading r = {.p = pattern, .t = text};
	struct err e = ERR_INIT;
	struct glob g;

	if (size < 1)
		return 0;
	r.shell = data[0] & 1;
	r.plen = strnlen((const char *)data + 1, size - 1);
	r.tlen = size - 1 > r.plen ? size - 2 - r.plen : 0;
	if (r.plen > SIDE || r.tlen > SIDE)
		return 0;
	memcpy(pattern, data + 1, r.plen);
	memcpy(text, data + 2 + r.plen, r.tlen);
	if (r.shell ? glob_shell(pattern, r.plen, &a, &g, &e) < 0
		    : glob_path(pattern, &a, &g, &e) < 0)
		return 0;
	check_beginnings(&g, &r);
	if (r.shell && is_utf8(text, r.tlen))
		check_ends(&g, &r);
	return 0;
}

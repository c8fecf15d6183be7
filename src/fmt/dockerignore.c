/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/dockerignore.h"
#include "base/arena.h"
#include "base/err.h"
#include "fmt/cleanpath.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static char *trimmed(const char *p, size_t len, struct arena *a)
{
	while (len && is_blank(*p)) {
		p++;
		len--;
	}
	while (len && is_blank(p[len - 1]))
		len--;
	return arena_dupn(a, p, len);
}

static int add(struct dockerignore *d, const char *pattern, struct arena *a, struct err *e)
{
	struct dockerignore_rule *rule;
	char *cleaned;
	bool back = *pattern == '!';
	int r;

	if (d->n == DOCKERIGNORE_PATTERNS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d patterns", DOCKERIGNORE_PATTERNS_MAX);
	d->v = arena_room(a, d->v, d->n, sizeof(*d->v));
	if (back)
		pattern = trimmed(pattern + 1, strlen(pattern + 1), a);
	if (!*pattern)
		return err_set(e, ERR_USAGE, "'!' wants a pattern behind it");
	cleaned = arena_alloc(a, strlen(pattern) + 1);
	/* Nothing is outside of the context; the context itself no rule leaves out. */
	if ((!cleanpath(pattern, cleaned) && *pattern != '/') || !*cleaned)
		return 0;
	rule = &d->v[d->n];
	*rule = (struct dockerignore_rule){.pattern = cleaned, .back = back};
	r = glob_path(cleaned, a, &rule->glob, e);
	if (r < 0)
		return r;
	d->n++;
	d->any_back |= back;
	return 0;
}

int dockerignore_add(struct dockerignore *d, const char *pattern, struct arena *a, struct err *e)
{
	const char *p = trimmed(pattern, strlen(pattern), a);

	return *p ? add(d, p, a, e) : err_set(e, ERR_USAGE, "a pattern is empty");
}

int dockerignore_parse(const char *text, size_t len, const char *name, struct arena *a,
		       struct dockerignore *out, struct err *e)
{
	struct dockerignore d = {0};
	const char *end = text + len;

	if (len > DOCKERIGNORE_MAX)
		return err_set(e, ERR_LIMIT, "%s: %zu bytes, at most %d are allowed", name, len,
			       DOCKERIGNORE_MAX);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	for (int line = 1; text < end; line++) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *stop = nl ? nl : end;
		const char *pattern = *text == '#' ? "" : trimmed(text, (size_t)(stop - text), a);
		int r = *pattern ? add(&d, pattern, a, e) : 0;

		if (r < 0)
			return err_wrap(e, r, "%s:%d", name, line);
		text = nl ? nl + 1 : end;
	}
	*out = d;
	return 0;
}

bool dockerignore_match(const struct dockerignore *d, const char *path)
{
	bool out = false;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].back == out && glob_match_beneath(&d->v[i].glob, path))
			out = !out;
	return out;
}

bool dockerignore_enter(const struct dockerignore *d, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; d->any_back && i < d->n; i++) {
		char inside[4096];

		if (!d->v[i].back)
			continue;
		if (len + 2 > sizeof(inside))
			return true;
		memcpy(inside, path, len);
		inside[len] = '/';
		if (glob_alive(&d->v[i].glob, inside, len + 1))
			return true;
	}
	return false;
}

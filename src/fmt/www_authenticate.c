/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/www_authenticate.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* RFC 9110: token. */
#define TOKEN "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BLANK " \t"

static const char *skip(const char *p)
{
	return p + strspn(p, BLANK);
}

/* A token or quoted-string at p; returns what follows it, or NULL. */
static const char *value_at(const char *p, struct arena *a, const char **out)
{
	char *s;
	size_t n;

	if (*p != '"') {
		n = strspn(p, TOKEN "/:=,?");
		/* Unquoted values are tokens; some registries send bare URLs, without commas. */
		n = strcspn(p, ", \t") < n ? strcspn(p, ", \t") : n;
		if (!n)
			return NULL;
		*out = arena_dupn(a, p, n);
		return p + n;
	}
	s = arena_alloc(a, strlen(p));
	n = 0;
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (!*p || (unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
		s[n++] = *p;
	}
	s[n] = '\0';
	*out = s;
	return p + 1;
}

static void keep(struct www_authenticate *c, const char *key, size_t n, const char *value)
{
	const struct {
		const char *name;
		const char **to;
	} known[] = {{"realm", &c->realm},
		     {"service", &c->service},
		     {"scope", &c->scope},
		     {"error", &c->error}};

	/* The first of two equal parameters counts: a later one cannot redirect it. */
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i].name) == n && strncasecmp(known[i].name, key, n) == 0 &&
		    !*known[i].to)
			*known[i].to = value;
}

static int scheme_of(const char *p, size_t n)
{
	if (n == 6 && strncasecmp(p, "Bearer", 6) == 0)
		return WWW_BEARER;
	return n == 5 && strncasecmp(p, "Basic", 5) == 0 ? WWW_BASIC : WWW_NONE;
}

/* key "=" value pairs up to the next scheme or the end. */
static const char *params(const char *p, struct arena *a, struct www_authenticate *c)
{
	for (;;) {
		size_t n;
		const char *q, *value;

		p += strspn(p, BLANK ",");
		n = strspn(p, TOKEN);
		q = skip(p + n);
		if (!n || *q != '=')
			return p;
		q = value_at(skip(q + 1), a, &value);
		if (!q)
			return NULL;
		keep(c, p, n, value);
		p = skip(q);
		if (*p && *p != ',')
			return NULL;
	}
}

int www_authenticate_parse(const char *value, struct arena *a, struct www_authenticate *out,
			   struct err *e)
{
	struct www_authenticate best = {0};
	const char *p = value;

	if (strlen(value) > WWW_AUTHENTICATE_MAX)
		return err_set(e, ERR_LIMIT, "WWW-Authenticate has more than %d bytes",
			       WWW_AUTHENTICATE_MAX);
	while (*(p += strspn(p, BLANK ","))) {
		struct www_authenticate c = {0};
		size_t n = strspn(p, TOKEN);
		const char *blob, *end;

		if (!n)
			return err_set(e, ERR_CORRUPT, "WWW-Authenticate is malformed");
		c.scheme = scheme_of(p, n);
		/* A token68 ("Negotiate abc/d==") belongs to a scheme we do not know. */
		blob = skip(p + n);
		end = blob + strspn(blob, TOKEN "/=");
		if (c.scheme == WWW_NONE && (!*skip(end) || *skip(end) == ',')) {
			p = end;
			continue;
		}
		p = params(p + n, a, &c);
		if (!p)
			return err_set(e, ERR_CORRUPT, "WWW-Authenticate is malformed");
		if (c.scheme > best.scheme && c.realm)
			best = c;
	}
	*out = best;
	return 0;
}

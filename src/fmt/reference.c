/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/reference.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"

#include <stdbool.h>
#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* component: alphanumerics, joined by one '.', one or two '_', or any number of '-'. */
static bool component(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t run = strspn(s + i, LOWER), sep;

		if (!run)
			return false;
		i += run;
		if (i >= len)
			return i == len;
		sep = s[i] == '-'   ? strspn(s + i, "-")
		      : s[i] == '_' ? strspn(s + i, "_")
				    : s[i] == '.';
		if (!sep || (s[i] == '_' && sep > 2))
			return false;
		i += sep;
	}
	return false;
}

static bool path_ok(const char *s, size_t len)
{
	while (len) {
		const char *slash = memchr(s, '/', len);
		size_t n = slash ? (size_t)(slash - s) : len;
		char one[REFERENCE_NAME_MAX + 1];

		if (n > REFERENCE_NAME_MAX)
			return false;
		memcpy(one, s, n);
		one[n] = '\0';
		if (!component(one, n))
			return false;
		if (!slash)
			return true;
		s += n + 1;
		len -= n + 1;
	}
	return false;
}

/* Host name labels joined by '.', or an IPv6 address in brackets; then maybe a port. */
static bool domain_ok(const char *s)
{
	size_t n;

	if (*s == '[') {
		n = strspn(s + 1, DIGITS "abcdefABCDEF:.");
		if (!n || s[1 + n] != ']')
			return false;
		s += n + 2;
	} else {
		for (;;) {
			n = strspn(s, LOWER UPPER "-");
			if (!n || s[0] == '-' || s[n - 1] == '-')
				return false;
			s += n;
			if (*s != '.')
				break;
			s++;
		}
	}
	if (!*s)
		return true;
	n = *s == ':' ? strspn(s + 1, DIGITS) : 0;
	return n > 0 && n <= 5 && !s[1 + n];
}

static bool is_domain(const char *s, size_t n)
{
	if (n == 9 && memcmp(s, "localhost", 9) == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
			return true;
	return false;
}

static bool tag_ok(const char *s)
{
	size_t n = strspn(s, LOWER UPPER "_.-");

	return n && !s[n] && n <= REFERENCE_TAG_MAX && *s != '.' && *s != '-';
}

static int bad(const char *s, const char *why, struct err *e)
{
	return err_set(e, ERR_USAGE, "'%.200s' is not an image reference: %s", s, why);
}

/* name is DOMAIN/PATH or PATH; both are completed as docker does. */
static int split_name(const char *s, char *name, struct arena *a, struct reference *r,
		      struct err *e)
{
	char *slash = strchr(name, '/');
	const char *path = name, *bare;

	r->domain = "docker.io";
	if (slash && is_domain(name, (size_t)(slash - name))) {
		r->domain = arena_dupn(a, name, (size_t)(slash - name));
		path = slash + 1;
		if (streq(r->domain, "index.docker.io"))
			r->domain = "docker.io";
	}
	if (!domain_ok(r->domain))
		return bad(s, "the registry's name is malformed", e);
	if (!*path || !path_ok(path, strlen(path)))
		return bad(
		    s, "expected a name of lower-case letters, digits, '.', '_', '-' and '/'", e);
	bare = str_after(path, "library/");
	bare = bare ? bare : path;
	if (strlen(bare) == DIGEST_HEX && strspn(bare, "0123456789abcdef") == DIGEST_HEX)
		return bad(s, "64 hex digits are an image id", e);
	r->path = streq(r->domain, "docker.io") && !strchr(path, '/')
		      ? arena_printf(a, "library/%s", path)
		      : path;
	if (strlen(r->domain) + 1 + strlen(r->path) > REFERENCE_NAME_MAX)
		return bad(s, "longer than 255 characters", e);
	return 0;
}

int reference_parse(const char *s, struct arena *a, struct reference *out, struct err *e)
{
	struct reference r = {0};
	const char *at, *slash;
	char *name, *colon;
	int n;

	if (strlen(s) > REFERENCE_NAME_MAX + REFERENCE_TAG_MAX + DIGEST_LEN + 2)
		return bad(s, "too long", e);
	if (!*s)
		return bad(s, "it is empty", e);
	at = strchr(s, '@');
	name = at ? arena_dupn(a, s, (size_t)(at - s)) : arena_dup(a, s);
	if (at && !digest_valid(at + 1))
		return bad(s, "expected '@sha256:' and 64 hex digits", e);
	if (at)
		r.digest = arena_dup(a, at + 1);
	/* A colon before the last slash is a port. */
	slash = strrchr(name, '/');
	colon = strrchr(name, ':');
	if (colon && slash && colon < slash)
		colon = NULL;
	if (colon) {
		*colon = '\0';
		r.tag = colon + 1;
		if (!tag_ok(r.tag))
			return bad(s, "the tag is malformed", e);
	}
	n = split_name(s, name, a, &r, e);
	if (n < 0)
		return n;
	if (r.digest)
		r.tag = NULL;
	else if (!r.tag)
		r.tag = "latest";
	*out = r;
	return 0;
}

const char *reference_canonical(struct arena *a, const struct reference *r)
{
	return arena_printf(a, "%s/%s%s%s", r->domain, r->path, r->digest ? "@" : ":",
			    r->digest ? r->digest : r->tag);
}

const char *reference_familiar(struct arena *a, const char *canonical)
{
	const char *rest = str_after(canonical, "docker.io/");
	const char *lib = rest ? str_after(rest, "library/") : NULL;

	/* "library/a/b" would be read as the namespace library again, "x.y/b" as the registry x.y.
	 */
	if (lib && !strchr(lib, '/'))
		rest = lib;
	else if (rest && strchr(rest, '/') && is_domain(rest, strcspn(rest, "/")))
		rest = NULL;
	return arena_dup(a, rest ? rest : canonical);
}

unsigned int reference_repository(const char *canonical)
{
	const char *at = strchr(canonical, '@'), *slash, *colon;

	if (at)
		return (unsigned int)(at - canonical);
	slash = strrchr(canonical, '/');
	colon = strrchr(canonical, ':');
	if (colon && (!slash || colon > slash))
		return (unsigned int)(colon - canonical);
	return (unsigned int)strlen(canonical);
}

int reference_tagged(const char *s, struct arena *a, const char **canonical, struct err *e)
{
	struct reference r;
	int ret = reference_parse(s, a, &r, e);

	if (ret < 0)
		return ret;
	if (r.digest)
		return err_set(e, ERR_USAGE, "'%.300s' has a digest; a tag is wanted", s);
	*canonical = reference_canonical(a, &r);
	return 0;
}

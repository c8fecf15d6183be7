/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/registry_search.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "fmt/reference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- filters ---- */

struct filter {
	int64_t stars;
	int official, automated; /* -1: both */
};

/* Given as true and as false says nothing, and docker refuses it too. */
static int yes_or_no(const char *key, const char *value, int *out, struct err *e)
{
	int v = streq(value, "true") || streq(value, "1")    ? 1
		: streq(value, "false") || streq(value, "0") ? 0
							     : -1;

	if (v < 0 || (*out >= 0 && *out != v))
		return err_set(e, ERR_USAGE, "invalid filter '%s=[%.60s]'", key, value);
	*out = v;
	return 0;
}

static int stars(const char *value, int64_t *out, struct err *e)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno || *end || end == value)
		return err_set(e, ERR_USAGE, "invalid filter 'stars=%.60s'", value);
	*out = n > *out ? n : *out;
	return 0;
}

static int read_filters(const struct strs *l, struct filter *f, struct err *e)
{
	int r = 0;

	*f = (struct filter){.stars = INT64_MIN, .official = -1, .automated = -1};
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		const char *v;

		if ((v = str_after(l->v[i], "stars=")))
			r = stars(v, &f->stars, e);
		else if ((v = str_after(l->v[i], "is-official=")))
			r = yes_or_no("is-official", v, &f->official, e);
		else if ((v = str_after(l->v[i], "is-automated=")))
			r = yes_or_no("is-automated", v, &f->automated, e);
		else
			r = err_set(e, ERR_USAGE, "invalid filter '%.*s'",
				    (int)strcspn(l->v[i], "="), l->v[i]);
	}
	return r;
}

static bool passes(const struct filter *f, const struct fetch_found *v)
{
	return v->stars >= f->stars && (f->official < 0 || v->official == f->official) &&
	       (f->automated < 0 || v->automated == f->automated);
}

/* ---- whom to ask ---- */

/* HOST/TERM where HOST can be no user of Docker Hub; official images are known there without
 * "library/". */
static int split(const char *term, struct arena *a, const char **host, const char **rest,
		 struct err *e)
{
	const char *slash = strchr(term, '/');
	char *head = slash ? arena_dupn(a, term, (size_t)(slash - term)) : NULL;
	struct reference ref;
	int r;

	*host = "docker.io";
	*rest = term;
	if (!*term || strlen(term) > REGISTRY_SEARCH_TERM_MAX)
		return err_set(e, ERR_USAGE, "a search term has 1 to %d bytes",
			       REGISTRY_SEARCH_TERM_MAX);
	if (strstr(term, "://"))
		return err_set(e, ERR_USAGE, "search term '%.80s' may not contain a '://'", term);
	if (head && (strpbrk(head, ".:") || streq(head, "localhost"))) {
		/* What may be a registry is known there. */
		r = reference_parse(arena_printf(a, "%s/x", head), a, &ref, e);
		if (r < 0)
			return r;
		*host = streq(ref.domain, "index.docker.io") ? "docker.io" : ref.domain;
		*rest = slash + 1;
	}
	if (streq(*host, "docker.io") && str_after(*rest, "library/"))
		*rest = str_after(*rest, "library/");
	return **rest ? 0 : err_set(e, ERR_USAGE, "search term '%.80s' names only where", term);
}

int registry_search_place(const char *term, struct arena *a, const char **image, struct err *e)
{
	const char *host, *rest;
	int r = split(term, a, &host, &rest, e);

	if (r == 0)
		*image = arena_printf(a, "%s/x", host);
	return r;
}

int registry_search_run(struct store *s, const struct registry_search_opts *o, struct arena *a,
			struct fetch_founds *out, struct err *e)
{
	struct image_fetch_source src = {.transport = "registry", .search = true, .file = -1};
	int64_t limit = o->limit ? o->limit : REGISTRY_SEARCH_LIMIT;
	struct image_fetch *f = NULL;
	struct fetch_search found = {0};
	struct filter filter;
	const char *term;
	int r = read_filters(&o->filters, &filter, e);

	if (r == 0 && (limit < 1 || limit > REGISTRY_SEARCH_LIMIT_MAX))
		r = err_set(e, ERR_USAGE, "limit %lld is outside the range of [1, %d]",
			    (long long)limit, REGISTRY_SEARCH_LIMIT_MAX);
	if (r == 0)
		r = split(o->term, a, &src.host, &term, e);
	if (r == 0)
		r = image_fetch_start(s, &src, &f, e);
	if (r >= 0)
		r = image_fetch_search(f, term, (uint64_t)limit, a, &found, e);
	if (f)
		image_fetch_stop(f);
	if (r < 0)
		return r;
	*out = (struct fetch_founds){.v = arena_array(a, found.results.n + 1, sizeof(*out->v))};
	for (size_t i = 0; i < found.results.n && i < (size_t)limit; i++)
		if (passes(&filter, &found.results.v[i]))
			out->v[out->n++] = found.results.v[i];
	return 0;
}

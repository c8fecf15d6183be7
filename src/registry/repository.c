/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/repository.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "registry/distribution.h"
#include "registry/transfer.h"
#include "spec/fetch.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define PAGE_MAX (4u << 20) /* bytes */

/* ---- tags ---- */

/* Append those of one page. */
static int add_tags(const struct buf *text, struct arena *a, struct strs *all, struct err *e)
{
	auto_json struct json *j = NULL;
	struct json *tags;
	int r = json_parse(text->p, text->len, "list of tags", &j, e);

	if (r < 0)
		return r;
	tags = json_member(j, "tags");
	if (!json_is_object(j) || (tags && !json_is_array(tags)))
		return err_set(e, ERR_CORRUPT, "the registry's list of tags is none");
	for (size_t i = 0; i < json_length(tags); i++) {
		const char *t = json_string(json_at(tags, i));

		if (!t)
			return err_set(e, ERR_CORRUPT, "the registry's list of tags is none");
		if (all->n == REPOSITORY_TAGS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d tags", REPOSITORY_TAGS_MAX);
		arena_strs_add(a, all, arena_dup(a, t));
	}
	return 0;
}

/* `</v2/x/tags/list?n=1&last=y>; rel="next"`: what follows the "?", since only that may change. */
static const char *next_page(const char *link, struct arena *a)
{
	const char *from = link ? strchr(link, '<') : NULL;
	const char *to = from ? strchr(from, '>') : NULL;
	const char *q = to && strstr(to, "next") ? memchr(from, '?', (size_t)(to - from)) : NULL;

	return q ? arena_dupn(a, q, (size_t)(to - q)) : NULL;
}

int repository_tags(struct distribution *d, struct arena *a, struct fetch_list *out, struct err *e)
{
	const char *query = "?n=1000", *before = "";
	struct strs all = {0};

	for (int page = 0; query && !streq(query, before); page++) {
		auto_buf struct buf text = BUF_INIT(PAGE_MAX);
		struct distribution_answer got = {0};
		int r;

		if (page == REPOSITORY_PAGES_MAX)
			return err_set(e, ERR_LIMIT, "more than %d pages of tags",
				       REPOSITORY_PAGES_MAX);
		r = distribution_document(d, arena_printf(a, "tags/list%s", query), NULL,
					  "such repository", &text, &got, a, e);
		if (r >= 0)
			r = add_tags(&text, a, &all, e);
		if (r < 0)
			return r;
		before = query;
		query = next_page(got.link, a);
	}
	out->images.v = arena_array(a, all.n, sizeof(*out->images.v));
	for (out->images.n = 0; out->images.n < all.n; out->images.n++)
		out->images.v[out->images.n].name = all.v[out->images.n];
	return 0;
}

/* ---- referrers ---- */

static const char *type_of(const struct json *m)
{
	return json_string(json_member(m, "artifactType"));
}

/* Those of an index that are of this type, as an index. */
static int filter(const struct buf *text, const char *type, struct buf *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct json *list;
	int r = json_parse(text->p, text->len, "list of referrers", &j, e);
	size_t n = 0;

	if (r < 0)
		return r;
	list = json_member(j, "manifests");
	if (!json_is_array(list))
		return err_set(e, ERR_CORRUPT, "the registry's list of referrers is none");
	buf_puts(out, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[");
	for (size_t i = 0; i < json_length(list); i++) {
		struct json *m = json_at(list, i);

		if (type && !(type_of(m) && streq(type_of(m), type)))
			continue;
		buf_puts(out, n++ ? "," : "");
		json_dump(m, out);
	}
	buf_puts(out, "]}");
	return buf_fail(out, "list of referrers", e);
}

int repository_referrers(struct distribution *d, const char *digest, const char *artifact_type,
			 struct buf *out, struct err *e)
{
	static const char none[] = "{\"manifests\":[]}";
	auto_buf struct buf text = BUF_INIT(PAGE_MAX);
	auto_arena struct arena a = ARENA_INIT;
	struct distribution_answer got = {0};
	const char *what = arena_printf(&a, "referrers of %.19s", digest);
	struct err why = ERR_INIT;
	int r = distribution_document(d, arena_printf(&a, "referrers/%s", digest), OCI_TYPE_INDEX,
				      what, &text, &got, &a, &why);

	/* Before v1.1 there was no such list: 404, or a page that is something else. */
	if (got.status == 404 ||
	    (r >= 0 && (!got.media_type || !streq(got.media_type, OCI_TYPE_INDEX)))) {
		text.len = 0;
		why = ERR_INIT;
		r = distribution_document(
		    d, arena_printf(&a, "manifests/sha256-%s", digest_hex(digest)), OCI_TYPE_INDEX,
		    what, &text, &got, &a, &why);
		if (got.status == 404) {
			buf_puts(&text, none);
			r = 0;
		}
	}
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	return filter(&text, artifact_type, out, e);
}

/* ---- removing ---- */

static int remove_one(struct distribution *d, const char *ref, long *status, struct arena *a,
		      struct err *e)
{
	struct transfer t = {.method = "DELETE"};
	const char *what = arena_printf(a, "manifest '%.80s' to be removed", ref);
	int logins = 0;
	int r = distribution_exchange(d, &t, arena_printf(a, "manifests/%s", ref), &logins, a, e);

	*status = t.status;
	if (r < 0)
		return err_wrap(e, r, "registry '%s': %s", distribution_name(d), what);
	return t.status / 100 == 2 ? 0 : distribution_refused(d, what, t.status, e);
}

int repository_remove(struct distribution *d, const char *ref, struct arena *a,
		      const char **removed, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	char *digest = arena_alloc(a, DIGEST_LEN + 1);
	struct distribution_answer got = {0};
	struct err why = ERR_INIT;
	unsigned char sum[32];
	long status = 0;
	int r = remove_one(d, ref, &status, a, &why);

	*removed = ref;
	/* The distribution project's registry says 400 or 405 to a tag; it wants a digest. */
	if (r < 0 && !digest_valid(ref) && (status == 400 || status == 405)) {
		why = ERR_INIT;
		r = distribution_document(d, arena_printf(a, "manifests/%s", ref),
					  DISTRIBUTION_ACCEPT, arena_printf(a, "image '%s'", ref),
					  &text, &got, a, &why);
		if (r >= 0) {
			sha256_of(text.p, text.len, sum);
			digest_print(sum, digest);
			*removed = digest;
			r = remove_one(d, digest, &status, a, &why);
		}
	}
	if (r < 0 && status == 405) {
		why = ERR_INIT;
		r = err_set(&why, ERR_UNSUPPORTED, "registry '%s' does not remove anything",
			    distribution_name(d));
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

/* ---- searching ---- */

static void escape(const char *s, struct buf *out)
{
	for (; *s; s++)
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_add(out, s, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
}

int repository_search(struct distribution *d, const char *term, uint64_t limit, struct buf *out,
		      struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FETCH_FOUND_MAX), query = BUF_INIT(PAGE_MAX);
	auto_arena struct arena a = ARENA_INIT;
	struct distribution_answer got = {0};
	struct fetch_search found = {0};
	struct err why = ERR_INIT;
	int r;

	buf_puts(&query, "search?q=");
	escape(term, &query);
	buf_printf(&query, "&n=%" PRIu64, limit);
	r = distribution_document(d, query.p, "application/json", "search", &text, &got, &a, &why);
	if (r < 0 && (got.status == 404 || got.status == 405 || got.status == 410)) {
		why = ERR_INIT;
		r = err_set(&why, ERR_UNSUPPORTED, "registry '%s' has no search (status %ld)",
			    distribution_name(d), got.status);
	}
	if (r >= 0) {
		r = fetch_parse_search(text.p, text.len, &a, &found, &why);
		if (r < 0)
			err_wrap(&why, r, "registry '%s'", distribution_name(d));
	}
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	if (found.results.n > limit)
		found.results.n = (size_t)limit;
	fetch_print_search(&found, out);
	return buf_fail(out, "answer to a search", e);
}

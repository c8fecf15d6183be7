/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/registry_ctl.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"

#include <stdlib.h>

#define CONFIG_MAX (4u << 20)

/* A conversation with the registry that a name says. */
struct talk {
	struct reference ref;
	struct image_fetch *fetch;
};

static int begin(struct store *s, const char *name, bool remove, struct arena *a, struct talk *t,
		 struct err *e)
{
	struct image_fetch_source src = {.transport = "registry", .remove = remove, .file = -1};
	int r = reference_parse(name, a, &t->ref, e);

	if (r < 0)
		return r;
	src.host = t->ref.domain;
	src.repository = t->ref.path;
	return image_fetch_start(s, &src, &t->fetch, e);
}

static int end(struct talk *t, int r, const char *verb, const char *name, struct err *e)
{
	image_fetch_stop(t->fetch);
	return r < 0 ? err_wrap(e, r, "%s '%.150s'", verb, name) : 0;
}

int registry_ctl_tags(struct store *s, const char *name, struct arena *a, struct strs *out,
		      struct err *e)
{
	struct fetch_list list = {0};
	struct strs tags = {0};
	struct talk t = {0};
	int r = 0;

	if (reference_repository(name) != strlen(name))
		r = err_set(e, ERR_USAGE, "a repository has no tag");
	if (r >= 0)
		r = begin(s, name, false, a, &t, e);
	if (r >= 0)
		r = image_fetch_list(t.fetch, a, &list, e);
	for (size_t i = 0; r >= 0 && i < list.images.n; i++)
		if (list.images.v[i].name)
			arena_strs_add(a, &tags, list.images.v[i].name);
	arena_strs_sort(&tags);
	if (r >= 0)
		*out = tags;
	return end(&t, r, "tags of", name, e);
}

static void give(const struct image_fetch_doc *d, struct registry_ctl_doc *out)
{
	*out = (struct registry_ctl_doc){
	    .text = d->text, .digest = d->digest, .media_type = d->media_type, .len = d->len};
}

int registry_ctl_manifest(struct store *s, const char *name, struct arena *a,
			  struct registry_ctl_doc *out, struct err *e)
{
	struct image_fetch_doc doc;
	struct talk t = {0};
	int r = begin(s, name, false, a, &t, e);

	if (r >= 0)
		r = image_fetch_manifest(t.fetch, t.ref.digest ? t.ref.digest : t.ref.tag, a, &doc,
					 e);
	if (r >= 0)
		give(&doc, out);
	return end(&t, r, "inspect", name, e);
}

static int of_index(const struct image_fetch_doc *d, struct arena *a,
		    struct registry_ctl_platforms *out, struct err *e)
{
	struct oci_index index = {0};
	int r = oci_image_index(d->text, d->len, "index", a, &index, e);

	out->v = arena_array(a, index.manifests.n + 1, sizeof(*out->v));
	for (size_t i = 0; r >= 0 && i < index.manifests.n; i++)
		if (index.manifests.v[i].platform)
			out->v[out->n++] = index.manifests.v[i].platform;
	return r;
}

static int of_image(struct talk *t, const struct image_fetch_doc *d, struct arena *a,
		    struct registry_ctl_platforms *out, struct err *e)
{
	struct oci_config *config = arena_alloc(a, sizeof(*config));
	struct oci_manifest m = {0};
	struct image_fetch_doc doc;
	int r = oci_image_manifest(d->text, d->len, "manifest", a, &m, e);

	*config = (struct oci_config){0};
	if (r >= 0)
		r = image_fetch_document(t->fetch, m.config.digest, m.config.size, CONFIG_MAX, a,
					 &doc, e);
	if (r >= 0)
		r = oci_image_config(doc.text, doc.len, "configuration", a, config, e);
	out->v = arena_array(a, 1, sizeof(*out->v));
	out->v[out->n++] = &config->platform;
	return r;
}

int registry_ctl_describe(struct store *s, const char *name, struct arena *a,
			  struct registry_ctl_doc *out, struct registry_ctl_platforms *platforms,
			  struct err *e)
{
	struct image_fetch_doc doc;
	struct talk t = {0};
	int r = begin(s, name, false, a, &t, e), kind = 0;

	*platforms = (struct registry_ctl_platforms){0};
	if (r >= 0)
		r = image_fetch_manifest(t.fetch, t.ref.digest ? t.ref.digest : t.ref.tag, a, &doc,
					 e);
	if (r >= 0)
		r = kind = oci_image_kind(doc.text, doc.len, doc.media_type, "manifest", e);
	if (r >= 0)
		r = kind == OCI_INDEX ? of_index(&doc, a, platforms, e)
				      : of_image(&t, &doc, a, platforms, e);
	if (r >= 0)
		give(&doc, out);
	return end(&t, r, "inspect", name, e);
}

int registry_ctl_referrers(struct store *s, const char *name, const char *artifact_type,
			   struct arena *a, struct registry_ctl_doc *out, struct err *e)
{
	struct image_fetch_doc doc;
	struct talk t = {0};
	int r = begin(s, name, false, a, &t, e);

	if (r >= 0 && !t.ref.digest) {
		r = image_fetch_manifest(t.fetch, t.ref.tag, a, &doc, e);
		t.ref.digest = r < 0 ? NULL : doc.digest;
	}
	if (r >= 0)
		r = image_fetch_referrers(t.fetch, t.ref.digest, artifact_type, a, &doc, e);
	if (r >= 0)
		give(&doc, out);
	return end(&t, r, "referrers of", name, e);
}

int registry_ctl_remove(struct store *s, const char *name, struct arena *a, const char **removed,
			struct err *e)
{
	const char *what = NULL;
	struct talk t = {0};
	int r;

	/* "latest" that nobody wrote is not removed for them. */
	if (reference_repository(name) == strlen(name))
		r = err_set(e, ERR_USAGE, "a tag or a digest is wanted");
	else
		r = begin(s, name, true, a, &t, e);
	if (r >= 0)
		r = image_fetch_remove(t.fetch, t.ref.digest ? t.ref.digest : t.ref.tag, a, &what,
				       e);
	if (r >= 0)
		*removed = arena_printf(a, "%.*s%s%s", (int)reference_repository(name), name,
					digest_valid(what) ? "@" : ":", what);
	return end(&t, r, "remove", name, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_copy.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/copy_from.h"
#include "engine/copy_to.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"

struct copy {
	const struct image_copy_opts *o;
	const char *text; /* of the source, for events */
	struct copy_from *from;
	struct copy_to *to;
	struct arena *a;
	unsigned int manifests;
	const char *arrived; /* digest of the document that was asked for */
	/* of the manifest that goes now */
	const struct oci_descriptor *blob;
	unsigned int layer, layers;
};

/* ---- progress ---- */

static void tell(struct copy *c, int kind, const char *digest, uint64_t done, uint64_t total)
{
	struct image_event ev = {.kind = kind,
				 .source = c->text,
				 .digest = digest,
				 .layer = c->layer,
				 .layers = c->layers,
				 .done = done,
				 .total = total};

	if (c->o->pull.progress)
		c->o->pull.progress(&ev, c->o->pull.arg);
}

static void came(void *arg, uint64_t got)
{
	struct copy *c = arg;

	tell(c, IMAGE_EVENT_BYTES, c->blob->digest, got, c->blob->size);
}

/* ---- one manifest ---- */

static int copy_blob(struct copy *c, const struct oci_descriptor *d, struct err *e)
{
	auto_fd int file = -1;
	int r = copy_to_have(c->to, d->digest, d->size, e);

	c->blob = d;
	if (r > 0)
		tell(c, IMAGE_EVENT_EXISTS, d->digest, 0, d->size);
	if (r)
		return r < 0 ? r : 0;
	tell(c, IMAGE_EVENT_START, d->digest, 0, d->size);
	r = file = copy_from_blob(c->from, d->digest, d->size, came, c, e);
	if (r >= 0)
		r = copy_to_blob(c->to, d->digest, d->size, file, NULL, NULL, e);
	if (r >= 0)
		tell(c, IMAGE_EVENT_DONE, d->digest, d->size, d->size);
	return r;
}

static int give(struct copy *c, const struct image_fetch_doc *d, const char *type, bool top,
		struct err *e)
{
	struct copy_to_doc doc = {
	    .text = d->text, .digest = d->digest, .media_type = type, .len = d->len, .top = top};

	if (top)
		c->arrived = d->digest;
	return copy_to_manifest(c->to, &doc, e);
}

static int copy_manifest(struct copy *c, const struct image_fetch_doc *d, bool top, struct err *e)
{
	struct oci_manifest m;
	int r = oci_image_manifest(d->text, d->len, "manifest", c->a, &m, e);

	if (r < 0)
		return r;
	if (++c->manifests > IMAGE_COPY_MANIFESTS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d manifests", IMAGE_COPY_MANIFESTS_MAX);
	c->layer = 0;
	c->layers = (unsigned int)m.layers.n + 1;
	tell(c, IMAGE_EVENT_RESOLVED, d->digest, 0, 0);
	for (size_t i = 0; r >= 0 && i < m.layers.n; i++, c->layer++)
		r = copy_blob(c, &m.layers.v[i], e);
	if (r >= 0)
		r = copy_blob(c, &m.config, e);
	return r < 0 ? r : give(c, d, oci_image_type(&m), top, e);
}

/* ---- what is asked for ---- */

static int copy_document(struct copy *c, const struct image_fetch_doc *d, int depth, bool top,
			 struct err *e);

static int copy_index(struct copy *c, const struct image_fetch_doc *d,
		      const struct oci_index *index, int depth, bool top, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < index->manifests.n; i++) {
		struct image_fetch_doc part;

		r = copy_from_manifest(c->from, index->manifests.v[i].digest, c->a, &part, e);
		if (r >= 0)
			r = copy_document(c, &part, depth + 1, false, e);
	}
	return r < 0 ? r
		     : give(c, d, index->media_type ? index->media_type : OCI_TYPE_INDEX, top, e);
}

static int choose(struct copy *c, const struct oci_index *index, struct image_fetch_doc *out,
		  struct err *e)
{
	const struct oci_descriptor *mine = NULL;
	struct oci_platform want;
	int r = 0;

	oci_image_host(&want);
	if (c->o->pull.platform)
		r = oci_image_platform(c->o->pull.platform, c->a, &want, e);
	if (r >= 0)
		r = oci_image_choose(index, &want, "the image", &mine, e);
	return r < 0 ? r : copy_from_manifest(c->from, mine->digest, c->a, out, e);
}

static int copy_document(struct copy *c, const struct image_fetch_doc *d, int depth, bool top,
			 struct err *e)
{
	struct oci_index index;
	struct image_fetch_doc one;
	int r = oci_image_kind(d->text, d->len, d->media_type, "manifest", e);

	if (r < 0)
		return r;
	if (r == OCI_MANIFEST)
		return copy_manifest(c, d, top, e);
	if (depth == OCI_INDEX_DEPTH)
		return err_set(e, ERR_LIMIT, "more than %d indexes inside each other",
			       OCI_INDEX_DEPTH);
	r = oci_image_index(d->text, d->len, "index", c->a, &index, e);
	if (r >= 0 && c->o->all)
		return copy_index(c, d, &index, depth, top, e);
	if (r >= 0)
		r = choose(c, &index, &one, e);
	return r < 0 ? r : copy_document(c, &one, depth + 1, top, e);
}

/* Another repository of the same registry has the blobs already. */
static const char *mountable(const struct copy_end *from, const struct copy_end *to)
{
	bool same = from->kind == COPY_REGISTRY && to->kind == COPY_REGISTRY &&
		    streq(from->name.domain, to->name.domain) &&
		    !streq(from->name.path, to->name.path);

	return same ? from->name.path : NULL;
}

/* What arrives: the top document, or the platform's in it. */
static int run(struct copy *c, const char **digest, struct err *e)
{
	struct image_fetch_doc top;
	int r = copy_from_manifest(c->from, NULL, c->a, &top, e);

	if (r >= 0)
		r = copy_document(c, &top, 0, true, e);
	if (r >= 0)
		r = copy_to_finish(c->to, e);
	if (r >= 0)
		*digest = c->arrived;
	return r;
}

static int between(struct store *s, const struct copy_end *from, const struct copy_end *to,
		   const struct image_copy_opts *o, struct arena *a, const char **digest,
		   struct err *e)
{
	struct copy c = {.o = o, .text = from->text, .a = a};
	struct copy_to_opts t = {.end = to, .from = mountable(from, to)};
	struct stage *stage = NULL;
	int r = stage_new(s, &stage, e);

	if (r >= 0)
		r = copy_from_open(s, stage, from, o->all, &c.from, e);
	if (r >= 0)
		r = copy_to_open(s, stage, &t, &c.to, e);
	if (r >= 0)
		r = run(&c, digest, e);
	copy_to_close(c.to);
	copy_from_close(c.from);
	stage_free(stage);
	return r;
}

/* ---- into the store ---- */

static int tag(struct store *s, const char *from, const char *to, struct arena *a,
	       const char **digest, struct err *e)
{
	auto_fd int lock = store_lock(s, STORE_SHARED, e);
	struct image *i;
	int r = lock < 0 ? lock : image_find(s, from, NULL, &i, e);

	if (r < 0)
		return r;
	r = image_tag(s, i, to, e);
	*digest = arena_dup(a, i->record.manifest);
	image_close(i);
	return r;
}

static int into_store(struct store *s, const struct copy_end *from, const struct copy_end *to,
		      const struct image_copy_opts *o, struct arena *a, const char **digest,
		      struct err *e)
{
	struct image_pull_opts p = o->pull;
	struct image_pulled done;
	int r;

	if (from->kind == COPY_STORE)
		return tag(s, from->ref, to->ref, a, digest, e);
	p.as = to->ref;
	p.all_platforms = o->all;
	r = image_pull_run(
	    s, from->kind == COPY_REGISTRY ? str_after(from->text, "docker://") : from->text, &p, a,
	    &done, e);
	if (r >= 0)
		*digest = done.digest;
	return r;
}

int image_copy_run(struct store *s, const char *from, const char *to,
		   const struct image_copy_opts *o, struct arena *a, const char **digest,
		   struct err *e)
{
	struct copy_end f, t;
	int r = copy_end_parse(from, a, &f, e);

	if (r >= 0)
		r = copy_end_parse(to, a, &t, e);
	if (r >= 0)
		r = t.kind == COPY_STORE ? into_store(s, &f, &t, o, a, digest, e)
					 : between(s, &f, &t, o, a, digest, e);
	return r < 0 ? err_wrap(e, r, "copy '%.100s' to '%.100s'", from, to) : 0;
}

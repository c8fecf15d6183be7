/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_others.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "store/blob.h"
#include "store/stage.h"
#include "store/store.h"

#define MANIFESTS_MAX 1000 /* of one index, with those inside it */

struct walk {
	const struct image_others *o;
	struct arena *a;
	struct strs *out;
	unsigned int manifests, layer, layers;
};

static void tell(const struct walk *w, int kind, const char *digest, uint64_t done, uint64_t total)
{
	struct image_event ev = {.kind = kind,
				 .source = w->o->source,
				 .digest = digest,
				 .layer = w->layer,
				 .layers = w->layers,
				 .done = done,
				 .total = total};

	if (w->o->opts->progress)
		w->o->opts->progress(&ev, w->o->opts->arg);
}

/* Leased before the store is asked; 1 when it is here. */
static int here(struct walk *w, const char *digest, uint64_t size, struct err *e)
{
	auto_fd int lock = store_lock(w->o->store, STORE_SHARED, e);
	int r = lock < 0 ? lock : stage_lease(w->o->stage, STAGE_BLOB, digest_hex(digest), e);

	if (r < 0)
		return r;
	arena_strs_add(w->a, w->out, arena_dup(w->a, digest));
	return blob_have(w->o->store, digest, size);
}

struct moving {
	const struct walk *w;
	const struct oci_descriptor *blob;
};

static void came(void *arg, uint64_t got)
{
	const struct moving *m = arg;

	tell(m->w, IMAGE_EVENT_BYTES, m->blob->digest, got, m->blob->size);
}

static int fetch_blob(struct walk *w, const struct oci_descriptor *d, struct err *e)
{
	auto_fd int file = blob_stage(w->o->stage, d->digest, e);
	struct moving m = {w, d};
	int r = file;

	tell(w, IMAGE_EVENT_START, d->digest, 0, d->size);
	if (r >= 0)
		r = image_fetch_blob(w->o->fetch, 0, d->digest, d->size, 0, file, -1, e);
	if (r >= 0)
		r = image_fetch_wait(w->o->fetch, 0, came, &m, e);
	if (r >= 0)
		r = blob_commit(w->o->store, w->o->stage, d->digest, d->size, e);
	if (r >= 0)
		tell(w, IMAGE_EVENT_DONE, d->digest, d->size, d->size);
	return r < 0 ? err_wrap(e, r, "blob %.19s", d->digest) : r;
}

static int need(struct walk *w, const struct oci_descriptor *d, struct err *e)
{
	int r = here(w, d->digest, d->size, e);

	if (r > 0)
		tell(w, IMAGE_EVENT_EXISTS, d->digest, 0, d->size);
	return r ? r : fetch_blob(w, d, e);
}

/* From the store or the source, and kept. */
static int document(struct walk *w, const struct oci_descriptor *d, struct image_fetch_doc *out,
		    struct err *e)
{
	auto_free char *text = NULL;
	char digest[DIGEST_LEN + 1];
	int r = here(w, d->digest, d->size, e);

	if (r > 0) {
		r = blob_read(w->o->store, d->digest, OCI_MANIFEST_MAX, &text, &out->len, e);
		if (r >= 0)
			out->text = arena_dupn(w->a, text, out->len);
		out->digest = d->digest;
		return r;
	}
	if (r >= 0)
		r = image_fetch_manifest(w->o->fetch, d->digest, w->a, out, e);
	return r < 0 ? r : blob_put(w->o->store, w->o->stage, out->text, out->len, digest, e);
}

static int manifest(struct walk *w, const struct image_fetch_doc *d, struct err *e)
{
	struct oci_manifest m;
	int r = oci_image_manifest(d->text, d->len, "manifest", w->a, &m, e);

	if (r < 0)
		return r;
	w->layer = 0;
	w->layers = (unsigned int)m.layers.n + 1;
	tell(w, IMAGE_EVENT_RESOLVED, d->digest, 0, 0);
	for (size_t i = 0; r >= 0 && i < m.layers.n; i++, w->layer++)
		r = need(w, &m.layers.v[i], e);
	return r < 0 ? r : need(w, &m.config, e);
}

static int parts(struct walk *w, const struct image_fetch_doc *d, int depth, struct err *e)
{
	struct oci_index index;
	int r = oci_image_index(d->text, d->len, "index", w->a, &index, e);

	if (r >= 0 && depth > OCI_INDEX_DEPTH)
		return err_set(e, ERR_LIMIT, "more than %d indexes inside each other",
			       OCI_INDEX_DEPTH);
	for (size_t i = 0; r >= 0 && i < index.manifests.n; i++) {
		const struct oci_descriptor *part = &index.manifests.v[i];
		struct image_fetch_doc doc = {0};

		if (streq(part->digest, w->o->chosen))
			continue;
		if (++w->manifests > MANIFESTS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d manifests", MANIFESTS_MAX);
		r = document(w, part, &doc, e);
		if (r >= 0)
			r = oci_image_kind(doc.text, doc.len, doc.media_type, "manifest", e);
		if (r >= 0)
			r = r == OCI_INDEX ? parts(w, &doc, depth + 1, e) : manifest(w, &doc, e);
	}
	return r;
}

int image_others_fetch(const struct image_others *o, struct arena *a, struct strs *out,
		       struct err *e)
{
	struct walk w = {.o = o, .a = a, .out = out};
	struct image_fetch_doc top = {.digest = o->index};
	auto_free char *text = NULL;
	int r = blob_read(o->store, o->index, OCI_MANIFEST_MAX, &text, &top.len, e);

	if (r < 0)
		return r;
	top.text = text;
	return parts(&w, &top, 0, e);
}

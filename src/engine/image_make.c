/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_make.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"

/* Docker's names for the same archives. */
static const char *oci_layer_type(const char *type, struct arena *a)
{
	const char *rest = type ? str_after(type, DOCKER_TYPE_LAYER) : NULL;

	if (!rest)
		return type;
	return *rest == '.' ? arena_printf(a, OCI_TYPE_LAYER "+%s", rest + 1) : OCI_TYPE_LAYER;
}

int image_make_base(struct store *s, struct stage *st, const struct image *i, struct arena *a,
		    struct oci_descriptors *out, struct err *e)
{
	auto_free char *text = NULL;
	struct oci_manifest m = {0};
	size_t len = 0;
	int r = blob_read(s, i->record.manifest, OCI_MANIFEST_MAX, &text, &len, e);

	if (r >= 0)
		r = oci_image_manifest(text, len, "manifest", a, &m, e);
	for (size_t k = 0; r >= 0 && k < m.layers.n; k++) {
		struct oci_descriptor *d = &m.layers.v[k];

		d->media_type = oci_layer_type(d->media_type, a);
		r = stage_lease(st, STAGE_BLOB, digest_hex(d->digest), e);
		if (r >= 0 && !blob_have(s, d->digest, 0))
			r = err_set(e, ERR_NOT_FOUND,
				    "blob %.19s of its image is missing; pull the image again",
				    d->digest);
	}
	for (size_t k = 0; r >= 0 && k < i->record.layers.n; k++)
		r = stage_lease(st, STAGE_LAYER, digest_hex(i->record.layers.v[k]), e);
	if (r >= 0)
		*out = m.layers;
	return r;
}

static int put_manifest(struct store *s, struct stage *st, const struct oci_config *config,
			const struct oci_descriptors *layers, char digest[DIGEST_LEN + 1],
			struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX), doc = BUF_INIT(OCI_MANIFEST_MAX);
	char config_digest[DIGEST_LEN + 1];
	struct oci_manifest m = {
	    .schema_version = 2, .media_type = OCI_TYPE_MANIFEST, .layers = *layers};
	int r;

	oci_image_write_config(config, &text);
	r = buf_fail(&text, "configuration", e);
	if (r >= 0)
		r = blob_put(s, st, text.p, text.len, config_digest, e);
	if (r < 0)
		return r;
	m.config = (struct oci_descriptor){
	    .media_type = OCI_TYPE_CONFIG, .digest = config_digest, .size = text.len};
	oci_image_write_manifest(&m, &doc);
	r = buf_fail(&doc, "manifest", e);
	return r < 0 ? r : blob_put(s, st, doc.p, doc.len, digest, e);
}

int image_make_put(struct store *s, struct stage *st, const struct oci_config *config,
		   const struct oci_descriptors *layers, const struct strs *names,
		   struct image_made *out, struct err *e)
{
	auto_fd int lock = -1;
	int r;

	if (layers->n > OCI_LAYERS_MAX)
		return err_set(e, ERR_LIMIT,
			       "an image has at most %d layers, this one would have %zu",
			       OCI_LAYERS_MAX, layers->n);
	r = lock = store_lock(s, STORE_SHARED, e);
	if (r >= 0)
		r = put_manifest(s, st, config, layers, out->manifest, e);
	return r < 0 ? r : image_commit(s, st, out->manifest, NULL, names, out->id, e);
}

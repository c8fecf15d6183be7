/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory: a tag is an image record of the store.  A manifest that comes under a tag makes one: its
 * blobs must be there, its layers are unpacked as after a pull, and then it is an image like any
 * other.  Under a digest only the document is kept (leased, like blobs): it is a part of an index
 * that follows, and an index is recorded for this host's platform, with
 * the others kept beside, as pull --all-platforms does.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "depot/depot_int.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/image_record.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- reading ---- */

static int unknown(struct depot_call *c, struct err *e)
{
	return depot_refuse(c, 404, "MANIFEST_UNKNOWN", "no such manifest", e);
}

/* What a name stands for, or NULL. */
static const char *resolve(struct depot_call *c)
{
	struct image_record key = {0}, rec;
	struct reference ref;

	if (strchr(c->ref, ':'))
		return digest_valid(c->ref) ? c->ref : NULL;
	if (reference_parse(arena_printf(c->a, "%s:%s", c->name, c->ref), c->a, &ref, NULL) < 0)
		return NULL;
	key.name = reference_canonical(c->a, &ref);
	if (image_record_read(c->d->s, image_record_file(&key, c->a), c->a, &rec, NULL) < 0)
		return NULL;
	/* All platforms, where they are here. */
	return rec.others.n ? rec.source : rec.manifest;
}

static const char *type_of(struct depot_call *c, int kind, const char *text, size_t len)
{
	struct oci_manifest m;
	struct oci_index i;

	if (kind == OCI_INDEX)
		return oci_image_index(text, len, "index", c->a, &i, NULL) < 0 ? NULL
		       : i.media_type					       ? i.media_type
									       : OCI_TYPE_INDEX;
	return oci_image_manifest(text, len, "manifest", c->a, &m, NULL) < 0 ? NULL
									     : oci_image_type(&m);
}

int depot_manifest_get(struct depot_call *c, struct err *e)
{
	const char *digest = resolve(c), *type = NULL;
	auto_free char *text = NULL;
	size_t len = 0;
	int kind;

	if (!digest || blob_read(c->d->s, digest, OCI_MANIFEST_MAX, &text, &len, NULL) < 0)
		return unknown(c, e);
	kind = oci_image_kind(text, len, NULL, "manifest", NULL);
	if (kind >= 0)
		type = type_of(c, kind, text, len);
	if (!type)
		return unknown(c, e);
	exchange_field(c->x, "Docker-Content-Digest", "%s", digest);
	exchange_field(c->x, "ETag", "\"%s\"", digest);
	return exchange_send(c->x, 200, type, text, len, e);
}

/* ---- writing ---- */

struct put {
	struct depot_call *c;
	struct buf text;
	char digest[DIGEST_LEN + 1];
	const char *missing; /* digest of a blob or manifest that was not pushed before */
	struct oci_manifest manifest;
	const char *image; /* digest of that manifest */
	struct strs names;
	struct strs others; /* of an index: digests of what the image does not need */
};

static int need(struct put *p, const struct oci_descriptor *d, struct err *e)
{
	struct depot *at = p->c->d;
	int r = stage_lease(at->stage, STAGE_BLOB, digest_hex(d->digest), e);

	if (r >= 0 && !p->missing && !blob_have(at->s, d->digest, d->size))
		p->missing = d->digest;
	return r;
}

static int read_manifest(struct put *p, const char *text, size_t len, const char *digest,
			 struct err *e)
{
	int r = oci_image_manifest(text, len, "manifest", p->c->a, &p->manifest, e);

	p->image = digest;
	if (r >= 0)
		r = need(p, &p->manifest.config, e);
	for (size_t i = 0; r >= 0 && i < p->manifest.layers.n; i++)
		r = need(p, &p->manifest.layers.v[i], e);
	return r;
}

static int other_parts(struct put *p, const struct oci_index *index, const char *mine, int depth,
		       struct err *e);

/* What another platform's image is made of; it was there when its manifest came. */
static int other(struct put *p, const char *digest, int depth, struct err *e)
{
	auto_free char *text = NULL;
	struct oci_manifest m;
	struct oci_index i;
	size_t len = 0;
	int r = blob_read(p->c->d->s, digest, OCI_MANIFEST_MAX, &text, &len, e);

	arena_strs_add(p->c->a, &p->others, digest);
	if (r >= 0)
		r = oci_image_kind(text, len, NULL, "manifest", e);
	if (r == OCI_INDEX) {
		r = oci_image_index(text, len, "index", p->c->a, &i, e);
		return r < 0 ? r : other_parts(p, &i, "", depth + 1, e);
	}
	if (r >= 0)
		r = oci_image_manifest(text, len, "manifest", p->c->a, &m, e);
	if (r < 0)
		return r;
	arena_strs_add(p->c->a, &p->others, m.config.digest);
	for (size_t k = 0; k < m.layers.n; k++)
		arena_strs_add(p->c->a, &p->others, m.layers.v[k].digest);
	return 0;
}

static int other_parts(struct put *p, const struct oci_index *index, const char *mine, int depth,
		       struct err *e)
{
	int r =
	    depth > OCI_INDEX_DEPTH
		? err_set(e, ERR_LIMIT, "more than %d indexes inside each other", OCI_INDEX_DEPTH)
		: 0;

	for (size_t i = 0; r >= 0 && i < index->manifests.n; i++)
		if (!streq(index->manifests.v[i].digest, mine))
			r = other(p, index->manifests.v[i].digest, depth, e);
	return r;
}

/* All its parts came before; the one for this host becomes the image. */
static int read_index(struct put *p, struct err *e)
{
	const struct oci_descriptor *mine = NULL;
	auto_free char *text = NULL;
	struct oci_platform host;
	struct oci_index index;
	size_t len = 0;
	int r = oci_image_index(p->text.p, p->text.len, "index", p->c->a, &index, e);

	for (size_t i = 0; r >= 0 && i < index.manifests.n; i++)
		r = need(p, &index.manifests.v[i], e);
	if (r < 0 || p->missing || !p->names.n)
		return r;
	oci_image_host(&host);
	r = oci_image_choose(&index, &host, "the index", &mine, e);
	if (r >= 0)
		r = other_parts(p, &index, mine->digest, 0, e);
	if (r >= 0)
		r = blob_read(p->c->d->s, mine->digest, OCI_MANIFEST_MAX, &text, &len, e);
	return r < 0 ? r : read_manifest(p, text, len, mine->digest, e);
}

static int unpack(struct put *p, struct err *e)
{
	struct store *s = p->c->d->s;
	auto_free char *text = NULL;
	struct oci_config config;
	enum layer_form form;
	size_t len = 0;
	int r = blob_read(s, p->manifest.config.digest, OCI_CONFIG_MAX, &text, &len, e);

	if (r >= 0)
		r = oci_image_config(text, len, "image configuration", p->c->a, &config, e);
	if (r >= 0)
		r = oci_image_match(&p->manifest, &config, "image", e);
	if (r >= 0)
		r = rootfs_form(s, &form, e);
	for (size_t i = 0; r >= 0 && i < p->manifest.layers.n; i++) {
		const char *id = config.rootfs.diff_ids.v[i];
		struct layer l;

		r = stage_lease(p->c->d->stage, STAGE_LAYER, digest_hex(id), e);
		if (r >= 0)
			r = unpacker_need(s, id, p->manifest.layers.v[i].digest, form, p->c->a, &l,
					  e);
	}
	return r;
}

static int keep(struct put *p, struct err *e)
{
	struct depot *d = p->c->d;
	auto_fd int lock = store_lock(d->s, STORE_SHARED, e);
	char id[DIGEST_LEN + 1];
	int r = lock;

	if (r >= 0)
		r = blob_put(d->s, d->stage, p->text.p, p->text.len, p->digest, e);
	if (r >= 0 && p->names.n)
		r = image_commit_whole(d->s, d->stage, p->image, p->digest, &p->others, &p->names,
				       id, e);
	return r;
}

static int name_it(struct put *p, struct err *e)
{
	struct depot_call *c = p->c;
	struct reference ref;
	unsigned char sum[32];

	sha256_of(p->text.p, p->text.len, sum);
	digest_print(sum, p->digest);
	if (strchr(c->ref, ':'))
		return streq(c->ref, p->digest)
			   ? 0
			   : err_set(e, ERR_USAGE, "the manifest has another digest");
	if (reference_parse(arena_printf(c->a, "%s:%s", c->name, c->ref), c->a, &ref, e) < 0)
		return -EINVAL;
	arena_strs_add(c->a, &p->names, reference_canonical(c->a, &ref));
	return 0;
}

static int take(struct put *p, struct err *e)
{
	int r = name_it(p, e);

	if (r >= 0)
		r = oci_image_kind(p->text.p, p->text.len,
				   http_request_field(&p->c->x->request, "Content-Type"),
				   "manifest", e);
	if (r >= 0)
		r = r == OCI_INDEX ? read_index(p, e)
				   : read_manifest(p, p->text.p, p->text.len, p->digest, e);
	if (r < 0 || p->missing)
		return r;
	if (p->names.n)
		r = unpack(p, e);
	return r < 0 ? r : keep(p, e);
}

int depot_manifest_put(struct depot_call *c, struct err *e)
{
	struct put p = {.c = c, .text = BUF_INIT(OCI_MANIFEST_MAX)};
	struct err why = ERR_INIT;
	int r = exchange_slurp(c->x, &p.text, &why);

	if (r >= 0)
		r = take(&p, &why);
	buf_free(&p.text);
	if (r >= 0 && p.missing)
		return depot_refuse(c, 404, "MANIFEST_BLOB_UNKNOWN",
				    arena_printf(c->a, "%s was not pushed before", p.missing), e);
	if (r < 0)
		return depot_refuse(c, err_http_status(&why) < 500 ? err_http_status(&why) : 400,
				    "MANIFEST_INVALID", why.msg, e);
	exchange_field(c->x, "Location", "/v2/%s/manifests/%s", c->name, p.digest);
	exchange_field(c->x, "Docker-Content-Digest", "%s", p.digest);
	return exchange_send(c->x, 201, NULL, NULL, 0, e);
}

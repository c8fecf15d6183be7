/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attest.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/fd.h"

#include <string.h>
#include <sys/mman.h>

#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define EMPTY	   "{}"
#define PARTS	   3	/* digests of each: manifest, configuration, statement */
#define FIRST_ID   1000 /* of what is asked for here; the image's own numbers are smaller */

/* ---- making them ---- */

struct maker {
	struct store *s;
	struct stage *st;
	const char *subject;
	uint64_t subject_size;
	struct arena a;
	struct strs digests;
};

static int put(struct maker *m, const void *data, size_t len, const char **digest, struct err *e)
{
	char out[DIGEST_LEN + 1];
	int r = blob_put(m->s, m->st, data, len, out, e);

	if (r >= 0)
		*digest = arena_dup(&m->a, out);
	return r;
}

static int make_one(struct maker *m, const struct attest_doc *d, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	const char *empty = NULL, *statement = NULL, *manifest = NULL;
	int r = put(m, EMPTY, strlen(EMPTY), &empty, e);

	if (r >= 0)
		r = put(m, d->text, d->len, &statement, e);
	if (r < 0)
		return r;
	buf_printf(
	    &text,
	    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST
	    "\",\"artifactType\":\"" ATTEST_TYPE "\",\"config\":{\"mediaType\":\"" EMPTY_TYPE
	    "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" ATTEST_TYPE
	    "\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"in-toto.io/predicate-type\":",
	    empty, strlen(EMPTY), statement, d->len);
	json_quote(&text, d->predicate);
	buf_printf(
	    &text,
	    "}}],\"subject\":{\"mediaType\":\"" OCI_TYPE_MANIFEST
	    "\",\"digest\":\"%s\",\"size\":%llu},\"annotations\":{\"in-toto.io/predicate-type\":",
	    m->subject, (unsigned long long)m->subject_size);
	json_quote(&text, d->predicate);
	buf_puts(&text, "}}");
	r = buf_fail(&text, "attestation", e);
	if (r >= 0)
		r = put(m, text.p, text.len, &manifest, e);
	if (r < 0)
		return r;
	arena_strs_add(&m->a, &m->digests, manifest);
	arena_strs_add(&m->a, &m->digests, empty);
	arena_strs_add(&m->a, &m->digests, statement);
	return 0;
}

int attest_put(struct store *s, struct stage *st, const char *manifest, const struct attest_doc *v,
	       size_t n, struct err *e)
{
	struct maker m = {.s = s,
			  .st = st,
			  .subject = manifest,
			  .subject_size = blob_size(s, manifest),
			  .a = ARENA_INIT};
	auto_fd int lock = store_lock(s, STORE_SHARED, e);
	int r = lock;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = make_one(&m, &v[i], e);
	if (r >= 0)
		r = image_attest(s, manifest, &m.digests, e);
	arena_free(&m.a);
	return r < 0 ? r : 0;
}

/* ---- sending them ---- */

struct sender {
	struct store *s;
	struct image_fetch *f;
	struct arena *a;
	uint64_t id;
};

static int send(struct sender *k, struct image_fetch_push *p, struct err *e)
{
	int r = image_fetch_push(k->f, ++k->id, p, e);

	return r < 0 ? r : image_fetch_wait(k->f, k->id, NULL, NULL, e);
}

/* A blob; or, with a media type, a manifest under its digest. */
static int send_blob(struct sender *k, const char *digest, const char *media_type, struct err *e)
{
	auto_fd int file = blob_open(k->s, digest, e);
	struct image_fetch_push p = {.digest = digest,
				     .ref = media_type ? digest : NULL,
				     .media_type = media_type,
				     .size = blob_size(k->s, digest),
				     .file = file};

	return file < 0 ? file : send(k, &p, e);
}

/* Registries from before v1.1 of the specification keep no list: whoever pushes keeps it, as an
 * index under a tag of the subject's digest. */
static int send_list(struct sender *k, const char *subject, const struct buf *text, struct err *e)
{
	char digest[DIGEST_LEN + 1];
	unsigned char sum[32];
	auto_fd int mem = memfd_create("referrers", MFD_CLOEXEC);
	struct image_fetch_push p = {.digest = digest,
				     .ref = arena_printf(k->a, "sha256-%s", digest_hex(subject)),
				     .media_type = OCI_TYPE_INDEX,
				     .size = text->len,
				     .file = mem};

	sha256_of(text->p, text->len, sum);
	digest_print(sum, digest);
	if (mem < 0 || fd_write_all(mem, text->p, text->len) < 0)
		return err_sys(e, "memfd");
	return send(k, &p, e);
}

/* What the registry lists already, and of ours what it does not; *more: there is some of that. */
static int join(struct sender *k, const struct image_record *r, struct buf *out, bool *more,
		struct err *e)
{
	auto_json struct json *j = NULL;
	struct image_fetch_doc doc;
	struct json *list;
	bool some;
	int rc = image_fetch_referrers(k->f, r->manifest, NULL, k->a, &doc, e);

	if (rc >= 0)
		rc = json_parse(doc.text, doc.len, "list of referrers", &j, e);
	if (rc < 0)
		return rc;
	list = json_member(j, "manifests");
	some = json_length(list) > 0;
	buf_puts(out, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[");
	for (size_t i = 0; i < json_length(list); i++) {
		buf_puts(out, i ? "," : "");
		json_dump(json_at(list, i), out);
	}
	for (size_t i = 0; i < r->attests.n; i += PARTS) {
		auto_free char *text = NULL;
		bool listed = false;
		size_t len;

		for (size_t n = 0; n < json_length(list); n++) {
			const char *d = json_string(json_member(json_at(list, n), "digest"));

			listed |= d && streq(d, r->attests.v[i]);
		}
		if (listed)
			continue;
		rc = blob_read(k->s, r->attests.v[i], OCI_MANIFEST_MAX, &text, &len, e);
		if (rc < 0)
			return rc;
		if (oci_image_referrer(text, len, r->attests.v[i], r->manifest, NULL, some, out))
			*more = some = true;
	}
	buf_puts(out, "]}");
	return buf_fail(out, "list of referrers", e);
}

int attest_push(struct store *s, struct image_fetch *f, const struct image_record *r,
		struct arena *a, struct err *e)
{
	struct sender k = {.s = s, .f = f, .a = a, .id = FIRST_ID};
	auto_buf struct buf list = BUF_INIT(OCI_MANIFEST_MAX);
	bool more = false;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i + PARTS <= r->attests.n; i += PARTS) {
		rc = send_blob(&k, r->attests.v[i + 1], NULL, e);
		if (rc >= 0)
			rc = send_blob(&k, r->attests.v[i + 2], NULL, e);
		if (rc >= 0)
			rc = send_blob(&k, r->attests.v[i], OCI_TYPE_MANIFEST, e);
	}
	if (rc >= 0 && r->attests.n)
		rc = join(&k, r, &list, &more, e);
	if (rc >= 0 && more)
		rc = send_list(&k, r->manifest, &list, e);
	return rc < 0 ? err_wrap(e, rc, "what is said about it") : 0;
}

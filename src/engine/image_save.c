/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_save.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "engine/session.h"
#include "engine/tarout.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PIECE (1u << 20)

/* One name of one image; name NULL: none. */
struct saved {
	const char *name; /* canonical */
	struct oci_manifest manifest;
	const char *digest; /* of the manifest */
	uint64_t size;
};

struct save {
	struct store *s;
	struct stage *stage;
	struct arena a;
	struct saved *v;
	size_t n;
	struct strs blobs; /* digests */
	int fd;
};

static int lease(struct save *w, const char *digest, struct err *e)
{
	int r = stage_lease(w->stage, STAGE_BLOB, digest_hex(digest), e);

	if (r < 0)
		return r;
	if (!blob_have(w->s, digest, 0))
		return err_set(e, ERR_NOT_FOUND, "blob %.19s is missing; pull the image again",
			       digest);
	arena_strs_add(&w->a, &w->blobs, arena_dup(&w->a, digest));
	return 0;
}

static int lease_all(struct save *w, struct saved *i, struct err *e)
{
	auto_free char *text = NULL;
	size_t len = 0;
	int r = lease(w, i->digest, e);

	if (r >= 0)
		r = blob_read(w->s, i->digest, OCI_MANIFEST_MAX, &text, &len, e);
	if (r >= 0)
		r = oci_image_manifest(text, len, "manifest", &w->a, &i->manifest, e);
	i->size = len;
	if (r >= 0)
		r = lease(w, i->manifest.config.digest, e);
	for (size_t k = 0; r >= 0 && k < i->manifest.layers.n; k++)
		r = lease(w, i->manifest.layers.v[k].digest, e);
	return r;
}

/* The name is saved when it was asked by name; docker does the same. */
static const char *asked_name(struct save *w, const char *asked, const struct image *i)
{
	struct reference ref;

	if (!i->record.name || reference_parse(asked, &w->a, &ref, NULL) < 0 || ref.digest ||
	    !streq(reference_canonical(&w->a, &ref), i->record.name))
		return NULL;
	return arena_dup(&w->a, i->record.name);
}

static int add(struct save *w, const char *asked, struct err *e)
{
	struct saved *out = &w->v[w->n];
	struct image *i;
	int r = image_find(w->s, asked, NULL, &i, e);

	if (r < 0)
		return r;
	out->digest = arena_dup(&w->a, i->record.manifest);
	out->name = asked_name(w, asked, i);
	image_close(i);
	for (size_t k = 0; k < w->n; k++)
		if (streq(w->v[k].digest, out->digest) &&
		    streq(w->v[k].name ? w->v[k].name : "", out->name ? out->name : ""))
			return 0;
	r = lease_all(w, out, e);
	w->n += r >= 0;
	return r < 0 ? err_wrap(e, r, "image '%.150s'", asked) : 0;
}

/* By manifest, then by name, one without last: names of one image stand together. */
static int order(const void *x, const void *y)
{
	const struct saved *a = x, *b = y;
	int c = strcmp(a->digest, b->digest);

	if (c || !a->name || !b->name)
		return c ? c : !a->name - !b->name;
	return strcmp(a->name, b->name);
}

static int collect(struct save *w, const struct strs *names, struct err *e)
{
	auto_fd int lock = store_lock(w->s, STORE_SHARED, e);
	int r = lock;
	size_t n = 0;

	w->v = arena_array(&w->a, names->n, sizeof(*w->v));
	for (size_t i = 0; r >= 0 && i < names->n; i++)
		r = add(w, names->v[i], e);
	if (r < 0)
		return r;
	qsort(w->v, w->n, sizeof(*w->v), order);
	arena_strs_sort(&w->blobs);
	for (size_t i = 0; i < w->blobs.n; i++)
		if (!n || !streq(w->blobs.v[n - 1], w->blobs.v[i]))
			w->blobs.v[n++] = w->blobs.v[i];
	w->blobs.n = n;
	return 0;
}

/* ---- writing ---- */

/* Exactly size bytes, hashed on the way. */
static int stream(struct save *w, int from, uint64_t size, unsigned char sum[32], struct err *e)
{
	auto_free char *b = malloc(PIECE);
	struct sha256 h;
	int r = 0;

	if (!b)
		abort();
	sha256_init(&h);
	while (r >= 0 && size) {
		ssize_t n = fd_read_full(from, b, size < PIECE ? (size_t)size : PIECE);

		if (n <= 0) {
			errno = n < 0 ? (int)-n : EIO;
			return err_sys(e, "it ended early");
		}
		sha256_add(&h, b, (size_t)n);
		size -= (uint64_t)n;
		r = tarout_write(w->fd, b, (size_t)n, e);
	}
	sha256_done(&h, sum);
	return r;
}

static int put_blob(struct save *w, const char *digest, struct err *e)
{
	auto_fd int fd = blob_open(w->s, digest, e);
	char name[96], have[DIGEST_LEN + 1];
	unsigned char sum[32];
	struct stat st;
	int r = fd;

	if (r >= 0 && fstat(fd, &st) < 0)
		r = err_sys(e, "blob %.19s", digest);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(digest));
	r = tarout_file(w->fd, name, (uint64_t)st.st_size, e);
	if (r >= 0)
		r = stream(w, fd, (uint64_t)st.st_size, sum, e);
	if (r < 0)
		return r;
	digest_print(sum, have);
	if (!streq(have, digest))
		return err_set(e, ERR_CORRUPT,
			       "blob %.19s was damaged on disk; see system check --repair", digest);
	return tarout_pad(w->fd, (uint64_t)st.st_size, e);
}

/* Annotations as containerd and docker read them. */
static void index_entry(struct save *w, const struct saved *i, struct buf *out)
{
	const char *type = i->manifest.media_type;

	buf_puts(out, "{\"mediaType\":");
	json_quote(out, type ? type : OCI_TYPE_MANIFEST);
	buf_printf(out, ",\"digest\":\"%s\",\"size\":%" PRIu64, i->digest, i->size);
	if (i->name) {
		const char *tag = i->name + reference_repository(i->name);

		buf_puts(out, ",\"annotations\":{\"io.containerd.image.name\":");
		json_quote(out, i->name);
		buf_puts(out, ",\"org.opencontainers.image.ref.name\":");
		json_quote(out, *tag ? tag + 1 : tag);
		buf_puts(out, "}");
	}
	buf_puts(out, "}");
}

static int put_index(struct save *w, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(OCI_MANIFEST_MAX);

	buf_puts(&b, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[");
	for (size_t i = 0; i < w->n; i++) {
		buf_puts(&b, i ? "," : "");
		index_entry(w, &w->v[i], &b);
	}
	buf_puts(&b, "]}");
	return tarout_document(w->fd, "index.json", &b, e);
}

static void path_of(const char *digest, struct buf *out)
{
	buf_printf(out, "\"blobs/sha256/%s\"", digest_hex(digest));
}

/* Names of one image are in one entry; returns how many there were. */
static size_t docker_entry(struct save *w, size_t at, struct buf *out)
{
	const struct saved *i = &w->v[at];
	size_t n = 0;

	buf_puts(out, "{\"Config\":");
	path_of(i->manifest.config.digest, out);
	buf_puts(out, ",\"RepoTags\":");
	buf_puts(out, i->name ? "[" : "null");
	for (; at + n < w->n && streq(w->v[at + n].digest, i->digest); n++)
		if (w->v[at + n].name) {
			buf_puts(out, n ? "," : "");
			json_quote(out, reference_familiar(&w->a, w->v[at + n].name));
		}
	buf_puts(out, i->name ? "],\"Layers\":[" : ",\"Layers\":[");
	for (size_t k = 0; k < i->manifest.layers.n; k++) {
		buf_puts(out, k ? "," : "");
		path_of(i->manifest.layers.v[k].digest, out);
	}
	buf_puts(out, "]}");
	return n;
}

static int put_docker(struct save *w, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(OCI_MANIFEST_MAX);

	buf_puts(&b, "[");
	for (size_t i = 0; i < w->n;) {
		buf_puts(&b, i ? "," : "");
		i += docker_entry(w, i, &b);
	}
	buf_puts(&b, "]");
	return tarout_document(w->fd, "manifest.json", &b, e);
}

static int put_layout(struct save *w, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(256);
	int r;

	buf_puts(&b, "{\"imageLayoutVersion\":\"1.0.0\"}");
	r = tarout_document(w->fd, "oci-layout", &b, e);
	return r < 0 ? r : tarout_end(w->fd, e);
}

static int write_all(struct save *w, struct err *e)
{
	int r = tarout_dir(w->fd, "blobs/", e);

	if (r >= 0)
		r = tarout_dir(w->fd, "blobs/sha256/", e);
	for (size_t i = 0; r >= 0 && i < w->blobs.n; i++)
		r = put_blob(w, w->blobs.v[i], e);
	if (r >= 0)
		r = put_index(w, e);
	if (r >= 0)
		r = put_docker(w, e);
	return r < 0 ? r : put_layout(w, e);
}

int image_save_run(struct session *s, const struct strs *names, int fd, struct err *e)
{
	struct save w = {.fd = fd};
	int r = session_store(s, &w.s, e);

	if (r >= 0)
		r = stage_new(w.s, &w.stage, e);
	if (r >= 0)
		r = collect(&w, names, e);
	if (r >= 0)
		r = write_all(&w, e);
	stage_free(w.stage);
	arena_free(&w.a);
	return r < 0 ? r : 0;
}

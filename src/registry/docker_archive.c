/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/docker_archive.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "registry/blob_sink.h"
#include "registry/source.h"
#include "registry/tarball.h"

#include <openssl/evp.h>
#include <pthread.h>

#define IMAGES_MAX 1000

struct image {
	const char *config;
	struct strs tags, layers;
};
struct images {
	struct image *v;
	size_t n;
};
struct document {
	struct images images;
};

static const struct jbind_field image_fields[] = {
    JB(struct image, config, "Config", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct image, tags, "RepoTags", JBIND_STRS),
    JB(struct image, layers, "Layers", JBIND_STRS, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind image_table = {sizeof(struct image), image_fields, false};

/* Where the bytes of a digest are. */
struct known {
	char digest[DIGEST_LEN + 1];
	const char *file;
	struct known *next;
};

struct docker_archive {
	struct source source;
	struct tarball *tar;
	pthread_mutex_t lock; /* over what follows */
	struct arena arena;
	struct known *known;
};

static struct docker_archive *self(struct source *s)
{
	return (struct docker_archive *)s;
}

static int read_document(struct docker_archive *d, struct arena *a, struct images *out,
			 struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	auto_json struct json *j = NULL;
	int r = tarball_read(d->tar, "manifest.json", &text, e);

	if (r >= 0)
		r = json_parse(text.p, text.len, "manifest.json", &j, e);
	if (r < 0)
		return r;
	if (!json_is_array(j) || json_length(j) > IMAGES_MAX)
		return err_set(e, ERR_CORRUPT,
			       "manifest.json: expected an array of at most %d images", IMAGES_MAX);
	out->v = arena_array(a, json_length(j), sizeof(*out->v));
	for (; out->n < json_length(j); out->n++) {
		r = jbind_read(&image_table, json_at(j, out->n), &out->v[out->n], a,
			       "manifest.json", e);
		if (r < 0)
			return r;
		if (out->v[out->n].layers.n > OCI_LAYERS_MAX)
			return err_set(e, ERR_LIMIT, "manifest.json: more than %d layers",
				       OCI_LAYERS_MAX);
	}
	return 0;
}

static int archive_list(struct source *s, struct arena *a, struct fetch_list *out, struct err *e)
{
	struct images all = {0};
	size_t total = 0;
	int r = read_document(self(s), a, &all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		total += all.v[i].tags.n ? all.v[i].tags.n : 1;
	out->images.v = arena_array(a, total, sizeof(*out->images.v));
	for (size_t i = 0; i < all.n; i++) {
		const char *ref = arena_printf(a, "@%zu", i);

		for (size_t k = 0; k < all.v[i].tags.n; k++)
			out->images.v[out->images.n++] =
			    (struct fetch_item){.name = all.v[i].tags.v[k], .ref = ref};
		if (!all.v[i].tags.n)
			out->images.v[out->images.n++] = (struct fetch_item){.ref = ref};
	}
	return 0;
}

static const struct image *pick(const struct images *all, const char *ref)
{
	for (size_t i = 0; ref && i < all->n; i++) {
		char index[32];

		snprintf(index, sizeof(index), "@%zu", i);
		if (streq(ref, index))
			return &all->v[i];
		for (size_t k = 0; k < all->v[i].tags.n; k++)
			if (streq(all->v[i].tags.v[k], ref))
				return &all->v[i];
	}
	return !ref && all->n == 1 ? &all->v[0] : NULL;
}

static void remember(struct docker_archive *d, const char *digest, const char *file)
{
	struct known *k;

	pthread_mutex_lock(&d->lock);
	k = arena_alloc(&d->arena, sizeof(*k));
	snprintf(k->digest, sizeof(k->digest), "%s", digest);
	k->file = arena_dup(&d->arena, file);
	k->next = d->known;
	d->known = k;
	pthread_mutex_unlock(&d->lock);
}

static int hash_piece(void *arg, const void *data, unsigned long len, struct err *e)
{
	return EVP_DigestUpdate(arg, data, len) ? 0 : -EIO;
}

static int hash_file(struct docker_archive *d, const char *file, char digest[DIGEST_LEN + 1],
		     struct err *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char sum[32];
	int r;

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		abort();
	r = tarball_walk(d->tar, file, hash_piece, md, e);
	EVP_DigestFinal_ex(md, sum, NULL);
	EVP_MD_CTX_free(md);
	digest_print(sum, digest);
	return r;
}

/* An uncompressed layer's digest is its diff id, which the configuration has; that it is true is
 * checked when the layer is read.  A compressed one has to be hashed first. */
static int layer_digest(struct docker_archive *d, const char *file, const char *diff_id,
			char digest[DIGEST_LEN + 1], struct err *e)
{
	unsigned char magic[4] = {0};
	int r = tarball_peek(d->tar, file, magic, sizeof(magic), e);
	bool gzip = magic[0] == 0x1f && magic[1] == 0x8b;
	bool zstd = magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd;

	if (r < 0)
		return r;
	if (gzip || zstd)
		return hash_file(d, file, digest, e);
	snprintf(digest, DIGEST_LEN + 1, "%s", diff_id);
	return 0;
}

static int describe(struct docker_archive *d, const struct image *i, struct oci_config *c,
		    struct oci_manifest *m, struct arena *a, struct err *e)
{
	m->layers.v = arena_array(a, i->layers.n, sizeof(*m->layers.v));
	for (; m->layers.n < i->layers.n; m->layers.n++) {
		struct oci_descriptor *l = &m->layers.v[m->layers.n];
		const char *file = i->layers.v[m->layers.n];
		const char *diff_id = c->rootfs.diff_ids.v[m->layers.n];
		char digest[DIGEST_LEN + 1];
		int r = layer_digest(d, file, diff_id, digest, e);

		if (r >= 0)
			r = tarball_size(d->tar, file, &l->size, e);
		if (r < 0)
			return r;
		l->digest = arena_dup(a, digest);
		l->media_type =
		    streq(digest, diff_id) ? DOCKER_TYPE_LAYER : DOCKER_TYPE_LAYER ".gzip";
		remember(d, digest, file);
	}
	return 0;
}

static int archive_manifest(struct source *s, const char *ref, struct buf *out,
			    const char **media_type, struct arena *a, struct err *e)
{
	struct docker_archive *d = self(s);
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX);
	struct oci_manifest m = {.schema_version = 2, .media_type = DOCKER_TYPE_MANIFEST};
	char digest[DIGEST_LEN + 1];
	const struct image *i;
	struct images all = {0};
	struct oci_config c;
	int r = read_document(d, a, &all, e);

	if (r < 0)
		return r;
	i = pick(&all, ref);
	if (!i)
		return ref ? err_set(e, ERR_NOT_FOUND, "no image '%.100s' in it", ref)
			   : err_set(e, ERR_USAGE, "it holds %zu images; name one", all.n);
	r = tarball_read(d->tar, i->config, &text, e);
	if (r >= 0)
		r = oci_image_config(text.p, text.len, "image configuration", a, &c, e);
	if (r >= 0)
		r = hash_file(d, i->config, digest, e);
	if (r < 0)
		return r;
	if (c.rootfs.diff_ids.n != i->layers.n)
		return err_set(e, ERR_CORRUPT, "manifest.json names %zu layers, configuration %zu",
			       i->layers.n, c.rootfs.diff_ids.n);
	m.config = (struct oci_descriptor){DOCKER_TYPE_CONFIG, digest, text.len, {0}, NULL};
	remember(d, digest, i->config);
	r = describe(d, i, &c, &m, a, e);
	if (r < 0)
		return r;
	oci_image_write_manifest(&m, out);
	*media_type = DOCKER_TYPE_MANIFEST;
	return 0;
}

static int archive_blob(struct source *s, const char *digest, struct blob_sink *sink, struct err *e)
{
	struct docker_archive *d = self(s);
	const char *file = NULL;

	pthread_mutex_lock(&d->lock);
	for (struct known *k = d->known; k && !file; k = k->next)
		if (streq(k->digest, digest))
			file = k->file;
	pthread_mutex_unlock(&d->lock);
	if (!file)
		return err_set(e, ERR_NOT_FOUND, "blob %.19s is not in it", digest);
	return tarball_stream(d->tar, file, sink, e);
}

static void archive_close(struct source *s)
{
	struct docker_archive *d = self(s);

	tarball_close(d->tar);
	arena_free(&d->arena);
	free(d);
}

struct source *docker_archive_new(struct tarball *t)
{
	static const struct source_ops ops = {archive_list, archive_manifest, archive_blob,
					      archive_close};
	struct docker_archive *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->source.ops = &ops;
	d->tar = t;
	pthread_mutex_init(&d->lock, NULL);
	return &d->source;
}

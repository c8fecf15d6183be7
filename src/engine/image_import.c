/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_import.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"
#include "sys/fd.h"

#include <sys/socket.h>

#define CHUNK (256 << 10)
#define EPOCH "1970-01-01T00:00:00Z"

struct import {
	struct store *s;
	struct stage *stage;
	const char *what;
	const char *media_type;
	struct layer layer;
	struct arena *a;
};

static const char *media_type(const unsigned char *p, size_t n)
{
	if (n > 2 && p[0] == 0x1f && p[1] == 0x8b)
		return OCI_TYPE_LAYER "+gzip";
	if (n > 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd)
		return OCI_TYPE_LAYER "+zstd";
	return OCI_TYPE_LAYER;
}

/* 0, or -EPIPE when the unpacker has seen enough; a socket, because a pipe would send SIGPIPE. */
static int feed(int sock, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(sock, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int copy(struct import *m, int from, int blob, int sock, struct err *e)
{
	auto_free char *b = malloc(CHUNK);

	if (!b)
		abort();
	for (;;) {
		ssize_t n = fd_read_full(from, b, CHUNK);

		if (n <= 0) {
			errno = (int)-n;
			return n < 0 ? err_sys(e, "'%s'", m->what) : 0;
		}
		if (!m->media_type)
			m->media_type = media_type((unsigned char *)b, (size_t)n);
		errno = -fd_write_all(blob, b, (size_t)n);
		if (errno)
			return err_sys(e, "cannot write to the store");
		/* Why it stopped, the unpacker says itself. */
		if (feed(sock, b, (size_t)n) < 0)
			return 0;
	}
}

static int read_layer(struct import *m, int fd, struct unpacker **u, struct err *e)
{
	auto_fd int blob = blob_stage(m->stage, NULL, e);
	auto_fd int ours = -1;
	auto_fd int theirs = -1;
	struct unpacker_job job = {0};
	enum layer_form form;
	int pair[2], r = blob;

	if (r >= 0)
		r = rootfs_form(m->s, &form, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	job.in_fd = theirs;
	job.form = (int)form;
	r = unpacker_start(m->s, m->stage, &job, u, e);
	close(take_fd(&theirs));
	if (r < 0)
		return r;
	r = copy(m, fd, blob, ours, e);
	if (r < 0)
		unpacker_cancel(take_ptr(u));
	return r;
}

static int put_config(struct import *m, char digest[DIGEST_LEN + 1], uint64_t *size, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX);
	struct oci_history h = {.created = EPOCH, .created_by = "caisson import"};
	struct oci_config c = {.created = EPOCH, .rootfs = {.type = "layers"}, .history = {&h, 1}};

	oci_image_host(&c.platform);
	arena_strs_add(m->a, &c.rootfs.diff_ids, m->layer.diff_id);
	oci_image_write_config(&c, &text);
	*size = text.len;
	return blob_put(m->s, m->stage, text.p, text.len, digest, e);
}

static int put_manifest(struct import *m, char digest[DIGEST_LEN + 1], struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	char config[DIGEST_LEN + 1];
	struct oci_descriptor layer = {.media_type = m->media_type,
				       .digest = m->layer.blob_digest,
				       .size = m->layer.blob_size};
	struct oci_manifest doc = {
	    .schema_version = 2, .media_type = OCI_TYPE_MANIFEST, .layers = {&layer, 1}};
	int r = put_config(m, config, &doc.config.size, e);

	if (r < 0)
		return r;
	doc.config.media_type = OCI_TYPE_CONFIG;
	doc.config.digest = config;
	oci_image_write_manifest(&doc, &text);
	return blob_put(m->s, m->stage, text.p, text.len, digest, e);
}

/* From the end of the unpacking to the record under the lock: the digests are known only now, so
 * nothing could be leased before. */
static int finish(struct import *m, struct unpacker *u, const struct strs *names,
		  struct image_pulled *out, struct err *e)
{
	auto_fd int lock = store_lock(m->s, STORE_SHARED, e);
	char manifest[DIGEST_LEN + 1], id[DIGEST_LEN + 1];
	int r;

	if (lock < 0) {
		unpacker_cancel(u);
		return lock;
	}
	r = unpacker_finish(u, m->a, &m->layer, e);
	if (r >= 0)
		r = blob_identify(m->stage, m->layer.blob_digest, e);
	if (r >= 0)
		r = blob_commit(m->s, m->stage, m->layer.blob_digest, m->layer.blob_size, e);
	if (r >= 0)
		r = put_manifest(m, manifest, e);
	if (r >= 0)
		r = image_commit(m->s, m->stage, manifest, NULL, names, id, e);
	if (r < 0)
		return r;
	*out = (struct image_pulled){.names = *names,
				     .id = arena_dup(m->a, id),
				     .digest = arena_dup(m->a, manifest),
				     .fresh = true};
	return 0;
}

int image_import_run(struct store *s, int fd, const char *what, const char *ref, struct arena *a,
		     struct image_pulled *out, struct err *e)
{
	struct import m = {.s = s, .what = what, .a = a};
	struct unpacker *u = NULL;
	struct reference name;
	struct strs names = {0};
	int r = 0;

	if (ref) {
		r = reference_parse(ref, a, &name, e);
		if (r >= 0 && name.digest)
			r = err_set(e, ERR_USAGE, "'%s' has a digest; a tag is wanted", ref);
		if (r < 0)
			return r;
		arena_strs_add(a, &names, reference_canonical(a, &name));
	}
	r = stage_new(s, &m.stage, e);
	if (r >= 0)
		r = read_layer(&m, fd, &u, e);
	if (r >= 0)
		r = finish(&m, u, &names, out, e);
	stage_free(m.stage);
	return r < 0 ? err_wrap(e, r, "import '%.150s'", what) : 0;
}

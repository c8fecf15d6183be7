/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_import.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/eventlog.h"
#include "engine/layer_make.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"

#define EPOCH "1970-01-01T00:00:00Z"

struct import {
	struct store *s;
	struct stage *stage;
	struct layer_made made;
	struct arena *a;
};

static int put_config(struct import *m, char digest[DIGEST_LEN + 1], uint64_t *size, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX);
	struct oci_history h = {.created = EPOCH, .created_by = "caisson import"};
	struct oci_config c = {.created = EPOCH, .rootfs = {.type = "layers"}, .history = {&h, 1}};

	oci_image_host(&c.platform);
	arena_strs_add(m->a, &c.rootfs.diff_ids, m->made.layer.diff_id);
	oci_image_write_config(&c, &text);
	*size = text.len;
	return blob_put(m->s, m->stage, text.p, text.len, digest, e);
}

static int put_manifest(struct import *m, char digest[DIGEST_LEN + 1], struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	char config[DIGEST_LEN + 1];
	struct oci_descriptor layer = {.media_type = m->made.media_type,
				       .digest = m->made.layer.blob_digest,
				       .size = m->made.layer.blob_size};
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

static int record(struct import *m, const struct strs *names, struct image_pulled *out,
		  struct err *e)
{
	char manifest[DIGEST_LEN + 1], id[DIGEST_LEN + 1];
	auto_fd int lock = store_lock(m->s, STORE_SHARED, e);
	int r = lock;

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
	struct import m = {.s = s, .a = a};
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
		r = layer_make_read(s, m.stage, fd, what, a, &m.made, e);
	if (r >= 0)
		r = record(&m, &names, out, e);
	stage_free(m.stage);
	if (r >= 0)
		eventlog_thing(s, "image", "import", out->id, ref ? ref : out->id);
	return r < 0 ? err_wrap(e, r, "import '%.150s'", what) : 0;
}

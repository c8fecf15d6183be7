/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_import.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/eventlog.h"
#include "engine/image_make.h"
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

static int record(struct import *m, const struct strs *names, struct image_pulled *out,
		  struct err *e)
{
	struct oci_history h = {.created = EPOCH, .created_by = "caisson import"};
	struct oci_config c = {.created = EPOCH, .rootfs = {.type = "layers"}, .history = {&h, 1}};
	struct oci_descriptor layer = {.media_type = m->made.media_type,
				       .digest = m->made.layer.blob_digest,
				       .size = m->made.layer.blob_size};
	struct oci_descriptors layers = {&layer, 1};
	struct image_made made;
	int r;

	oci_image_host(&c.platform);
	arena_strs_add(m->a, &c.rootfs.diff_ids, m->made.layer.diff_id);
	r = image_make_put(m->s, m->stage, &c, &layers, names, &made, e);
	if (r < 0)
		return r;
	*out = (struct image_pulled){.names = *names,
				     .id = arena_dup(m->a, made.id),
				     .digest = arena_dup(m->a, made.manifest),
				     .fresh = true};
	return 0;
}

int image_import_run(struct store *s, int fd, const char *what, const char *ref, struct arena *a,
		     struct image_pulled *out, struct err *e)
{
	struct import m = {.s = s, .a = a};
	const char *name = NULL;
	struct strs names = {0};
	int r = ref ? reference_tagged(ref, a, &name, e) : 0;

	if (r < 0)
		return r;
	if (name)
		arena_strs_add(a, &names, name);
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

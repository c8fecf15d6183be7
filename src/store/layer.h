/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer - one unpacked layer: layers/<hex of diff id>.erofs and <hex>.json, or, where the host
 * cannot mount EROFS, <hex>.dir/ and <hex>.dir.json.  A layer may be there in both forms.
 *
 * The JSON file is the mark of completeness: it is written last, after the data was synced and
 * renamed, and removed first.  Data without a mark does not exist and is replaced.
 */
#ifndef STORE_LAYER_H
#define STORE_LAYER_H

#include "fmt/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct stage;
struct store;

enum layer_form { LAYER_EROFS, LAYER_DIR, LAYER_FORM_MAX_ };

struct layer {
	const char *diff_id;	 /* digest of the tar */
	const char *blob_digest; /* what it was unpacked from */
	uint64_t blob_size;
	int form;	   /* enum layer_form */
	uint64_t size;	   /* bytes on disk of the unpacked form */
	uint64_t tar_size; /* bytes of the tar */
	uint64_t entries;
	const char *verity; /* digest that fs-verity holds the file to; NULL: not on */
};

/* Read the mark; strings go into a.  ERR_NOT_FOUND when there is no complete layer of that id in
 * any form, or in this form. */
int layer_find(const struct store *s, const char *diff_id, struct arena *a, struct layer *out,
	       struct err *e);
int layer_find_form(const struct store *s, const char *diff_id, enum layer_form form,
		    struct arena *a, struct layer *out, struct err *e);

/* Begin: a descriptor to write the layer to, a file or an empty directory by form.  diff_id NULL:
 * not known yet; layer_identify() then gives it its name in the stage. */
int layer_stage(struct stage *st, const char *diff_id, enum layer_form form, struct err *e);
int layer_identify(struct stage *st, const char *diff_id, enum layer_form form, struct err *e);
/* Sync, publish, mark.  One that is complete already is kept instead. */
int layer_commit(struct store *s, struct stage *st, const struct layer *l, struct err *e);
/* The same, but in place of one that is there and damaged; whoever has that mounted keeps it. */
int layer_replace(struct store *s, struct stage *st, const struct layer *l, struct err *e);
/* What lies in the stage under this id: a descriptor for reading or -ENOENT, as after a commit that
 * found the layer complete it is still there. */
int layer_staged(const struct stage *st, const char *diff_id, enum layer_form form);
/* One form; the same of what it does and leaves. */
int layer_remove_form(const struct store *s, const char *diff_id, enum layer_form form,
		      struct err *e);
/* Turn fs-verity on for an EROFS layer and note its digest in the mark; l->verity is set (in a). */
int layer_seal(struct store *s, struct layer *l, struct arena *a, struct err *e);
const char *layer_form_name(int form);
/* Every form; mark first, then data.  Absent is fine. */
int layer_remove(const struct store *s, const char *diff_id, struct err *e);

/* Absolute path of the file or directory. */
const char *layer_path(const struct store *s, const struct layer *l, struct arena *a);
/* Path beneath the root. */
const char *layer_name(const struct layer *l, struct arena *a);

#endif

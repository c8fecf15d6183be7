/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/storeinfo.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "fmt/digest.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"

#include <stdarg.h>
#include <stdio.h>

/* A layer and the images that have it. */
struct item {
	const char *layer, *blob;
	struct strs images; /* ids */
};
struct items {
	struct item *v;
	size_t n;
};

static struct item *item_of(struct items *l, const char *layer)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].layer, layer))
			return &l->v[i];
	return NULL;
}

static bool listed(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static void add_record(struct items *l, const struct image_record *rec, struct arena *a)
{
	for (size_t k = 0; k < rec->layers.n; k++) {
		struct item *i = item_of(l, rec->layers.v[k]);

		if (!i) {
			i = &l->v[l->n++];
			i->layer = rec->layers.v[k];
		}
		if (!i->blob && k < rec->blobs.n)
			i->blob = rec->blobs.v[k];
		if (!listed(&i->images, rec->id))
			arena_strs_add(a, &i->images, rec->id);
	}
}

/* Layers of one image or all; for one, other images that share them are found too. */
static int collect(struct store *s, const char *image, struct arena *a, struct items *out,
		   struct err *e)
{
	struct image_records all;
	struct image *only = NULL;
	size_t most = 0;
	int r = image ? image_find(s, image, NULL, &only, e) : 0;

	if (r >= 0)
		r = image_list(s, a, &all, e);
	for (size_t i = 0; r >= 0 && i < all.n; i++)
		most += all.v[i].layers.n;
	out->v = arena_array(a, most + (only ? only->record.layers.n : 0), sizeof(*out->v));
	for (int pass = only ? 0 : 1; r >= 0 && pass < 2; pass++)
		for (size_t i = 0; i < all.n; i++)
			if (pass || streq(all.v[i].id, only->record.id))
				add_record(out, &all.v[i], a);
	if (r >= 0 && only) { /* what came in the second pass only is others' */
		size_t n = 0;

		for (size_t i = 0; i < out->n; i++)
			if (listed(&out->v[i].images, only->record.id))
				out->v[n++] = out->v[i];
		out->n = n;
	}
	image_close(only);
	return r < 0 ? r : 0;
}

int storeinfo_list(struct session *s, const char *image, struct arena *a, struct storeinfo *out,
		   struct err *e)
{
	struct items items = {0};
	enum layer_form wanted;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = rootfs_form(store, &wanted, e);
	if (r >= 0)
		r = collect(store, image, a, &items, e);
	if (r < 0)
		return r;
	*out = (struct storeinfo){.wanted = layer_form_name((int)wanted),
				  .v = arena_array(a, 2 * items.n, sizeof(*out->v))};
	for (size_t i = 0; i < items.n; i++) {
		const struct item *it = &items.v[i];
		struct storeinfo_row row = {.layer = it->layer, .images = it->images.n};
		size_t before = out->n;
		struct layer l;

		row.blob = it->blob;
		row.have_blob = it->blob && blob_have(store, it->blob, 0);
		row.blob_size = row.have_blob ? blob_size(store, it->blob) : 0;
		for (int f = 0; f < LAYER_FORM_MAX_; f++) {
			if (layer_find_form(store, it->layer, (enum layer_form)f, a, &l, NULL) < 0)
				continue;
			row.form = layer_form_name(f);
			row.size = l.size;
			row.tar_size = l.tar_size;
			row.entries = l.entries;
			row.verity = l.verity;
			out->v[out->n++] = row;
		}
		if (out->n == before)
			out->v[out->n++] = row;
	}
	return 0;
}

/* ---- converting ---- */

struct work {
	struct store *s;
	const struct storeinfo_convert *o;
	struct arena a;
};

__attribute__((format(printf, 3, 4))) static void say(struct work *w, const struct item *it,
						      const char *fmt, ...)
{
	char text[400], line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%.19s: %s", it->layer, text);
	w->o->tell(line, w->o->arg);
}

/* The other form goes.  A mounted image stays mounted for whom it is; files below an overlay may
 * not go away. */
static int drop_other(struct work *w, const struct item *it, enum layer_form other, struct err *e)
{
	auto_fd int lock = store_lock(w->s, STORE_EXCLUSIVE, e);
	struct layer l;

	if (lock < 0)
		return lock;
	if (layer_find_form(w->s, it->layer, other, &w->a, &l, NULL) < 0)
		return 0;
	for (size_t i = 0; other == LAYER_DIR && i < it->images.n; i++) {
		const char *user = image_user(w->s, it->images.v[i], &w->a);

		if (user) {
			say(w, it, "the directory stays, instance %.12s uses it", user);
			return 0;
		}
	}
	if (other == LAYER_EROFS)
		rootfs_forget(w->s, it->layer);
	return layer_remove_form(w->s, it->layer, other, e);
}

static int seal(struct work *w, const struct item *it, struct layer *l, struct err *e)
{
	int r;

	if (l->form != LAYER_EROFS)
		return err_set(e, ERR_UNSUPPORTED,
			       "fs-verity is for files: convert to erofs first");
	if (l->verity)
		return 0;
	r = layer_seal(w->s, l, &w->a, e);
	if (r >= 0)
		say(w, it, "fs-verity is on");
	return r;
}

static int convert_one(struct work *w, const struct item *it, struct err *e)
{
	enum layer_form form = (enum layer_form)w->o->form;
	struct layer l;
	int r;

	if (w->o->form < 0) {
		r = layer_find(w->s, it->layer, &w->a, &l, e);
		return r < 0 || !w->o->verity ? r : seal(w, it, &l, e);
	}
	r = layer_find_form(w->s, it->layer, form, &w->a, &l, NULL);
	if (r < 0) {
		r = unpacker_need(w->s, it->layer, it->blob, form, &w->a, &l, e);
		if (r >= 0)
			say(w, it, "made again as %s, %llu bytes", layer_form_name((int)form),
			    (unsigned long long)l.size);
	}
	if (r >= 0 && w->o->verity)
		r = seal(w, it, &l, e);
	if (r >= 0 && !w->o->keep)
		r = drop_other(w, it, form == LAYER_DIR ? LAYER_EROFS : LAYER_DIR, e);
	return r;
}

int storeinfo_convert(struct session *s, const struct storeinfo_convert *o, struct err *e)
{
	struct work w = {.o = o};
	struct items items = {0};
	struct stage *st = NULL;
	int r = session_store(s, &w.s, e);

	if (r >= 0)
		r = stage_new(w.s, &st, e);
	if (r >= 0)
		r = collect(w.s, o->image, &w.a, &items, e);
	for (size_t i = 0; r >= 0 && i < items.n; i++) {
		const struct item *it = &items.v[i];

		r = stage_lease(st, STAGE_LAYER, digest_hex(it->layer), e);
		if (r >= 0 && it->blob)
			r = stage_lease(st, STAGE_BLOB, digest_hex(it->blob), e);
		if (r >= 0)
			r = convert_one(&w, it, e);
		if (r < 0)
			err_wrap(e, r, "layer %.19s", it->layer);
	}
	stage_free(st);
	arena_free(&w.a);
	return r < 0 ? r : 0;
}

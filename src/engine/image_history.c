/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_history.h"
#include "base/err.h"
#include "engine/session.h"
#include "fmt/timestamp.h"
#include "store/image.h"
#include "store/layer.h"

static uint64_t layer_size(struct store *s, const char *diff_id, struct arena *a)
{
	struct layer l;

	return layer_find(s, diff_id, a, &l, NULL) == 0 ? l.size : 0;
}

static const char *text(const char *s, struct arena *a)
{
	return s ? arena_dup(a, s) : "";
}

static struct image_step step(const struct oci_history *h, struct arena *a)
{
	int64_t ns;

	return (struct image_step){
	    .created_s = h->created && timestamp_parse(h->created, &ns) ? ns / 1000000000 : 0,
	    .created_by = text(h->created_by, a),
	    .comment = text(h->comment, a)};
}

int image_history_list(struct session *s, const char *name_or_id, struct arena *a,
		       struct image_steps *out, struct err *e)
{
	const struct oci_histories *h;
	struct image_steps l = {0};
	const struct strs *layers;
	struct store *store;
	struct image *i;
	size_t next = 0;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = image_find(store, name_or_id, NULL, &i, e);
	if (r < 0)
		return r;
	h = &i->config.history;
	layers = &i->record.layers;
	l.v = arena_array(a, h->n + layers->n, sizeof(*l.v));
	for (size_t k = 0; k < h->n; k++) {
		l.v[l.n] = step(&h->v[k], a);
		if (!h->v[k].empty_layer && next < layers->n)
			l.v[l.n].size = layer_size(store, layers->v[next++], a);
		l.n++;
	}
	while (next < layers->n)
		l.v[l.n++] = (struct image_step){.created_by = "",
						 .comment = "",
						 .size = layer_size(store, layers->v[next++], a)};
	for (size_t k = 0; k < l.n / 2; k++) {
		struct image_step t = l.v[k];

		l.v[k] = l.v[l.n - 1 - k];
		l.v[l.n - 1 - k] = t;
	}
	if (l.n)
		l.v[0].id = arena_dup(a, i->record.id);
	image_close(i);
	*out = l;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_review.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/reference.h"
#include "fmt/secret.h"
#include "store/helper.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Find the image and keep its layers from collection, in one step under the lock. */
static int hold(struct store *s, struct stage *st, const char *ref, struct image **out,
		struct err *e)
{
	auto_fd int lock = store_lock(s, STORE_SHARED, e);
	struct image *i = NULL;
	int r = lock < 0 ? lock : image_find(s, ref, NULL, &i, e);

	for (size_t k = 0; r >= 0 && k < i->record.layers.n; k++) {
		r = stage_lease(st, STAGE_LAYER, digest_hex(i->record.layers.v[k]), e);
		if (r >= 0 && k < i->record.blobs.n)
			r = stage_lease(st, STAGE_BLOB, digest_hex(i->record.blobs.v[k]), e);
	}
	if (r < 0) {
		image_close(i);
		return r;
	}
	*out = i;
	return 0;
}

/* Its layers as images, bottom first, as arguments. */
static int add_layers(struct store *s, const struct image *i, struct arena *a, struct strs *args,
		      struct err *e)
{
	struct layer l;
	int r = 0;

	for (size_t k = 0; r >= 0 && k < i->record.layers.n; k++) {
		r = unpacker_need(s, i->record.layers.v[k],
				  k < i->record.blobs.n ? i->record.blobs.v[k] : NULL, LAYER_EROFS,
				  a, &l, e);
		arena_strs_add(a, args,
			       arena_printf(a, "%s/layers/%s.erofs", store_root_path(s),
					    digest_hex(i->record.layers.v[k])));
	}
	return r;
}

/* One run of the program; *text is malloc'ed. */
static ssize_t ask(struct store *s, const struct strs *args, char **text, struct err *e)
{
	auto_helper struct helper h = HELPER_INIT;
	int r = helper_start(s, "caisson-review", args, NULL, 0, &h, e);

	return r < 0 ? r : helper_finish(&h, REVIEW_MAX, text, e);
}

static int look(struct store *s, const struct image *i, bool files, struct arena *a,
		struct review *out, struct err *e)
{
	auto_free char *text = NULL;
	const char *user = i->config.config.user;
	struct strs args = {0};
	ssize_t n;
	int r;

	if (files)
		arena_strs_add(a, &args, "--files");
	arena_strs_add(a, &args, arena_printf(a, "--user=%s", user ? user : ""));
	arena_strs_add(a, &args, "--");
	r = add_layers(s, i, a, &args, e);
	if (r < 0)
		return r;
	n = ask(s, &args, &text, e);
	if (n < 0)
		return (int)n;
	r = review_parse(text, (size_t)n, a, out, e);
	if (r >= 0 && out->layers.n != i->record.layers.n)
		r = err_set(e, ERR_CORRUPT, "the review is of another image");
	return r;
}

static int compare(struct store *s, const struct image *from, const struct image *to, bool times,
		   struct arena *a, struct review_changes *out, struct err *e)
{
	auto_free char *text = NULL;
	struct strs args = {0};
	ssize_t n;
	int r;

	if (!from->record.layers.n)
		return err_set(e, ERR_UNSUPPORTED, "the image has no layers");
	arena_strs_add(a, &args, arena_printf(a, "--compare=%zu", from->record.layers.n));
	if (times)
		arena_strs_add(a, &args, "--times");
	arena_strs_add(a, &args, "--");
	r = add_layers(s, from, a, &args, e);
	if (r >= 0)
		r = add_layers(s, to, a, &args, e);
	if (r < 0)
		return r;
	n = ask(s, &args, &text, e);
	return n < 0 ? (int)n : review_changes_parse(text, (size_t)n, a, out, e);
}

/* ---- what the configuration reveals ---- */

struct more {
	struct arena *a;
	struct review_finding *v;
	size_t n, room;
	const char *where;
};

static void add(struct more *m, const char *where, const char *what)
{
	struct review_finding *grown;

	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 16;
		grown = arena_array(m->a, m->room, sizeof(*grown));
		if (m->n)
			memcpy(grown, m->v, m->n * sizeof(*grown));
		m->v = grown;
	}
	m->v[m->n++] =
	    (struct review_finding){.kind = REVIEW_SECRET, .path = where, .detail = what};
}

static void told(void *arg, const char *what, size_t off)
{
	struct more *m = arg;

	add(m, m->where, what);
}

static void text_of(struct more *m, const char *where, const char *text)
{
	m->where = where;
	secret_scan(text, strlen(text), told, m);
	if (secret_in_url(text))
		add(m, where, "password in an address");
}

static void configuration(const struct image *i, struct arena *a, struct review *out)
{
	const struct oci_config *c = &i->config;
	struct more m = {
	    .a = a, .v = out->findings.v, .n = out->findings.n, .room = out->findings.n};

	for (size_t k = 0; k < c->config.env.n; k++) {
		const char *x = c->config.env.v[k], *what = secret_variable(x);
		const char *where = arena_printf(a, "config.Env[%.*s]", (int)strcspn(x, "="), x);

		if (what)
			add(&m, where, what);
		text_of(&m, where, x);
	}
	for (size_t k = 0; k < c->config.labels.n; k++)
		text_of(&m, arena_printf(a, "config.Labels[%s]", c->config.labels.v[k].key),
			c->config.labels.v[k].value ? c->config.labels.v[k].value : "");
	for (size_t k = 0; k < c->history.n; k++)
		if (c->history.v[k].created_by)
			text_of(&m, arena_printf(a, "history[%zu]", k), c->history.v[k].created_by);
	out->findings.v = m.v;
	out->findings.n = m.n;
}

/* Which step of the history made which layer. */
static void name_layers(const struct image *i, struct arena *a, struct image_review *out)
{
	const struct oci_histories *h = &i->config.history;
	size_t next = 0;

	for (size_t k = 0; k < out->found.layers.n; k++) {
		struct review_layer *l = &out->found.layers.v[k];

		l->diff_id = arena_dup(a, i->record.layers.v[k]);
		while (next < h->n && h->v[next].empty_layer)
			next++;
		if (next < h->n && h->v[next].created_by)
			l->created_by = arena_dup(a, h->v[next].created_by);
		next++;
		out->bytes += l->bytes;
		out->wasted += l->wasted;
	}
}

int image_review_run(struct session *s, const char *ref, bool files, struct arena *a,
		     struct image_review *out, struct err *e)
{
	struct image_review v = {0};
	struct stage *st = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = stage_new(store, &st, e);
	if (r >= 0)
		r = hold(store, st, ref, &v.image, e);
	if (r >= 0)
		r = look(store, v.image, files, a, &v.found, e);
	stage_free(st);
	if (r < 0) {
		image_review_done(&v);
		return err_wrap(e, r, "review of '%.150s'", ref);
	}
	configuration(v.image, a, &v.found);
	name_layers(v.image, a, &v);
	v.config = &v.image->config;
	v.id = v.image->record.id;
	v.manifest = v.image->record.manifest;
	v.platform = v.image->record.platform;
	v.name =
	    v.image->record.name ? reference_familiar(a, v.image->record.name) : v.image->record.id;
	*out = v;
	return 0;
}

int image_review_compare(struct session *s, const char *from, const char *to, bool times,
			 struct arena *a, struct review_changes *out, struct err *e)
{
	struct image *x = NULL, *y = NULL;
	struct stage *st = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = stage_new(store, &st, e);
	if (r >= 0)
		r = hold(store, st, from, &x, e);
	if (r >= 0)
		r = hold(store, st, to, &y, e);
	if (r >= 0)
		r = compare(store, x, y, times, a, out, e);
	stage_free(st);
	image_close(x);
	image_close(y);
	return r;
}

void image_review_done(struct image_review *v)
{
	if (v->image)
		image_close(v->image);
	v->image = NULL;
}

int image_review_root(const struct image_review *v)
{
	return v->found.uid_known ? v->found.uid == 0 : -1;
}

/* ---- JSON ---- */

static void strings(struct buf *out, const char *key, const struct strs *l)
{
	buf_printf(out, ",\"%s\":[", key);
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(out, i ? "," : "");
		json_quote(out, l->v[i]);
	}
	buf_puts(out, "]");
}

static void string(struct buf *out, const char *key, const char *s)
{
	buf_printf(out, ",\"%s\":", key);
	json_quote(out, s);
}

static void history(struct buf *out, const struct oci_histories *h)
{
	buf_puts(out, ",\"history\":[");
	for (size_t i = 0; i < h->n; i++) {
		buf_puts(out, i ? ",{\"createdBy\":" : "{\"createdBy\":");
		json_quote(out, h->v[i].created_by);
		string(out, "created", h->v[i].created);
		string(out, "comment", h->v[i].comment);
		buf_printf(out, ",\"emptyLayer\":%s}", h->v[i].empty_layer ? "true" : "false");
	}
	buf_puts(out, "]");
}

void image_review_json(const struct image_review *v, struct buf *out)
{
	const struct oci_process *p = &v->config->config;

	buf_puts(out, "{\"name\":");
	json_quote(out, v->name);
	string(out, "id", v->id);
	string(out, "manifest", v->manifest);
	string(out, "platform", v->platform);
	string(out, "created", v->config->created);
	string(out, "user", p->user ? p->user : "");
	strings(out, "exposedPorts", &p->exposed_ports);
	strings(out, "volumes", &p->volumes);
	strings(out, "entrypoint", &p->entrypoint);
	strings(out, "cmd", &p->cmd);
	buf_printf(out, ",\"bytes\":%" PRIu64 ",\"wasted\":%" PRIu64, v->bytes, v->wasted);
	history(out, &v->config->history);
	buf_puts(out, ",\"review\":");
	review_print(&v->found, out);
	buf_puts(out, "}");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How sharing is counted: every image lists the files it takes; the lists are sorted together, so
 * that the images that take one file stand side by side and each file is measured once.
 */
#include "engine/usage.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "fmt/digest.h"
#include "fmt/reference.h"
#include "fmt/timestamp.h"
#include "store/image.h"
#include "store/store.h"
#include "sys/du.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN_BLOBS, IN_LAYERS, IN_METAS };
static const char *const dirs[] = {"blobs/sha256", "layers", "metas"};

/* One file (or layer) that one image takes. */
struct use {
	int dir;
	const char *hex;
	size_t image;
};
struct uses {
	struct use *v;
	size_t n, cap;
};

struct gather {
	int root;
	struct arena *a;
	struct usage *u;
};

static void add_use(struct gather *g, struct uses *l, int dir, const char *hex, size_t image)
{
	if (l->n == l->cap) {
		struct use *v = arena_array(g->a, l->cap ? 2 * l->cap : 256, sizeof(*v));

		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		l->cap = l->cap ? 2 * l->cap : 256;
	}
	l->v[l->n++] = (struct use){dir, hex, image};
}

static int order(const void *x, const void *y)
{
	const struct use *a = x, *b = y;
	int c = a->dir - b->dir;

	if (!c)
		c = strcmp(a->hex, b->hex);
	return c ? c : (a->image > b->image) - (a->image < b->image);
}

static uint64_t measure(int root, const struct use *f)
{
	static const char *const layer[] = {".erofs", ".json", ".dir", ".dir.json", NULL};
	static const char *const meta[] = {".erofs", NULL}, *const blob[] = {"", NULL};
	const char *const *parts = f->dir == IN_LAYERS ? layer : f->dir == IN_METAS ? meta : blob;
	uint64_t bytes = 0;

	for (; *parts; parts++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%.64s%s", dirs[f->dir], f->hex, *parts);
		du_add(root, path, &bytes);
	}
	return bytes;
}

void usage_of_instance(struct session *s, const struct instance *i, uint64_t *own, uint64_t *image)
{
	struct image *img = NULL;
	struct store *store;
	char path[96];

	*own = *image = 0;
	if (session_store(s, &store, NULL) < 0)
		return;
	snprintf(path, sizeof(path), "instances/%.64s", i->id);
	du_add(store_root_fd(store), path, own);
	if (image_find_id(store, i->image_id, &img, NULL) < 0)
		return;
	for (size_t k = 0; k < img->record.layers.n; k++) {
		struct use u = {IN_LAYERS, digest_hex(img->record.layers.v[k]), 0};

		*image += measure(store_root_fd(store), &u);
	}
	image_close(img);
}

/* ---- images ---- */

static int by_id(const void *x, const void *y)
{
	const struct image_record *a = x, *b = y;

	return strcmp(a->id, b->id);
}

static void add_record(struct gather *g, const struct image_record *r, size_t i, struct uses *uses)
{
	struct usage_image *img = &g->u->image_list.v[i];
	int64_t ns;

	img->id = r->id;
	img->created_s = r->created && timestamp_parse(r->created, &ns) ? ns / 1000000000 : 0;
	if (r->name)
		arena_strs_add(g->a, &img->names, reference_familiar(g->a, r->name));
	add_use(g, uses, IN_BLOBS, digest_hex(r->id), i);
	add_use(g, uses, IN_BLOBS, digest_hex(r->manifest), i);
	if (r->source)
		add_use(g, uses, IN_BLOBS, digest_hex(r->source), i);
	add_use(g, uses, IN_METAS, r->chain, i);
	for (size_t k = 0; k < r->blobs.n; k++)
		add_use(g, uses, IN_BLOBS, digest_hex(r->blobs.v[k]), i);
	for (size_t k = 0; k < r->others.n; k++)
		add_use(g, uses, IN_BLOBS, digest_hex(r->others.v[k]), i);
	for (size_t k = 0; k < r->attests.n; k++)
		add_use(g, uses, IN_BLOBS, digest_hex(r->attests.v[k]), i);
	for (size_t k = 0; k < r->layers.n; k++)
		add_use(g, uses, IN_LAYERS, digest_hex(r->layers.v[k]), i);
}

/* A group of equal files: from[0..n), maybe the same image more than once. */
static void share_out(struct gather *g, const struct use *from, size_t n)
{
	bool shared = from[0].image != from[n - 1].image, held = false;
	uint64_t bytes = measure(g->root, from);

	for (size_t i = 0; i < n; i++) {
		struct usage_image *img = &g->u->image_list.v[from[i].image];

		if (i && from[i].image == from[i - 1].image)
			continue;
		img->bytes += bytes;
		*(shared ? &img->shared : &img->own) += bytes;
		held |= img->instances != 0;
	}
	g->u->images.bytes += bytes;
	if (!held)
		g->u->images.reclaimable += bytes;
}

static int images(struct gather *g, struct store *store, const struct lookups *instances,
		  struct uses *uses, struct err *e)
{
	struct image_records all;
	struct usage *u = g->u;
	int r = image_list(store, g->a, &all, e);

	if (r < 0)
		return r;
	if (all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_id);
	u->image_list.v = arena_array(g->a, all.n, sizeof(*u->image_list.v));
	for (size_t i = 0; i < all.n; i++) {
		if (!i || !streq(all.v[i].id, all.v[i - 1].id))
			u->image_list.n++;
		add_record(g, &all.v[i], u->image_list.n - 1, uses);
	}
	u->images.count = u->image_list.n;
	for (size_t i = 0; i < u->image_list.n; i++) {
		struct usage_image *img = &u->image_list.v[i];

		for (size_t k = 0; k < instances->n; k++)
			img->instances += streq(instances->v[k].i.image_id, img->id);
		u->images.active += img->instances != 0;
	}
	if (uses->n)
		qsort(uses->v, uses->n, sizeof(*uses->v), order);
	for (size_t i = 0, n; i < uses->n; i += n) {
		for (n = 1; i + n < uses->n && uses->v[i].dir == uses->v[i + n].dir &&
			    streq(uses->v[i].hex, uses->v[i + n].hex);
		     n++)
			;
		share_out(g, &uses->v[i], n);
	}
	return 0;
}

/* ---- what no image takes ---- */

struct key {
	int dir;
	const char *hex;
};

static int find(const void *k, const void *x)
{
	const struct key *key = k;
	const struct use *u = x;
	int c = key->dir - u->dir;

	return c ? c : strncmp(key->hex, u->hex, DIGEST_HEX);
}

static void unused(struct gather *g, struct store *store, int dir, const struct uses *uses)
{
	int fd = store_dir(store, dirs[dir], NULL);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		struct key key = {dir, de->d_name};
		uint64_t bytes = 0;

		if (streq(de->d_name, ".") || streq(de->d_name, "..") ||
		    (uses->n && bsearch(&key, uses->v, uses->n, sizeof(*uses->v), find)))
			continue;
		du_add(fd, de->d_name, &bytes);
		g->u->cache.count++;
		g->u->cache.bytes += bytes;
		g->u->cache.reclaimable += bytes;
	}
	if (d)
		closedir(d);
}

/* Entries of a directory and what they take. */
static void entries(struct store *store, const char *name, struct usage_sum *out)
{
	int fd = store_dir(store, name, NULL);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		out->count++;
		du_add(fd, de->d_name, &out->bytes);
	}
	if (d)
		closedir(d);
}

/* ---- instances and volumes ---- */

static void instances(struct gather *g, const struct lookups *all)
{
	struct usage *u = g->u;

	u->instance_list.v = arena_array(g->a, all->n, sizeof(*u->instance_list.v));
	for (size_t i = 0; i < all->n; i++) {
		const struct lookup *l = &all->v[i];
		struct usage_instance *out = &u->instance_list.v[u->instance_list.n++];
		char path[96];

		*out = (struct usage_instance){.id = l->i.id,
					       .name = l->i.name,
					       .image = l->i.image,
					       .status = lookup_status(l)};
		snprintf(path, sizeof(path), "instances/%.64s", l->i.id);
		du_add(g->root, path, &out->bytes);
		u->instances.count++;
		u->instances.bytes += out->bytes;
		if (l->state.pid)
			u->instances.active++;
		else
			u->instances.reclaimable += out->bytes;
	}
}

static uint64_t users(const struct lookups *all, const char *volume)
{
	uint64_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i].i.mounts.n; k++) {
			const struct instance_mount *m = &all->v[i].i.mounts.v[k];

			if (streq(m->type, "volume") && streq(m->name, volume)) {
				n++;
				break;
			}
		}
	return n;
}

static void volumes(struct gather *g, struct store *store, const struct lookups *all)
{
	int fd = store_dir(store, "volumes", NULL);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct usage *u = g->u;
	struct strs names = {0};
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			arena_strs_add(g->a, &names, arena_dup(g->a, de->d_name));
	u->volume_list.v = arena_array(g->a, names.n, sizeof(*u->volume_list.v));
	for (size_t i = 0; i < names.n; i++) {
		struct usage_volume *v = &u->volume_list.v[u->volume_list.n++];

		v->name = names.v[i];
		v->instances = users(all, v->name);
		du_add(fd, v->name, &v->bytes);
		u->volumes.count++;
		u->volumes.bytes += v->bytes;
		if (v->instances)
			u->volumes.active++;
		else
			u->volumes.reclaimable += v->bytes;
	}
	if (d)
		closedir(d);
}

int usage_gather(struct session *s, struct arena *a, struct usage *out, struct err *e)
{
	struct usage u = {0};
	uint64_t before;
	struct gather g = {.a = a, .u = &u};
	struct uses uses = {0};
	struct lookups all;
	struct store *store;
	auto_fd int lock = -1;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	g.root = store_root_fd(store);
	/* Nothing is collected while it is counted. */
	lock = store_lock(store, STORE_SHARED, e);
	r = lock < 0 ? lock : lookup_all(s, a, &all, e);
	if (r >= 0)
		r = images(&g, store, &all, &uses, e);
	if (r < 0)
		return r;
	instances(&g, &all);
	volumes(&g, store, &all);
	entries(store, "cache", &u.cache);
	entries(store, "tmp", &u.cache);
	before = u.cache.bytes;
	entries(store, "parts", &u.cache);
	u.cache.reclaimable += u.cache.bytes - before;
	for (int dir = IN_BLOBS; dir <= IN_METAS; dir++)
		unused(&g, store, dir, &uses);
	*out = u;
	return 0;
}

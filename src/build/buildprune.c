/* SPDX-License-Identifier: Apache-2.0 */
#include "build/buildprune.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "build/runmount.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"
#include "sys/du.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

static int by_use(const void *a, const void *b)
{
	const struct buildprune_item *x = a, *y = b;

	return (x->entry.used_ns > y->entry.used_ns) - (x->entry.used_ns < y->entry.used_ns);
}

static bool in_image(const struct image_records *all, const char *diff_id)
{
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i].layers.n; k++)
			if (streq(all->v[i].layers.v[k], diff_id))
				return true;
	return false;
}

/* Call fn for every directory of a RUN --mount=type=cache. */
static void each_mount(struct store *s, void (*fn)(int dir, const char *name, uint64_t *sum),
		       uint64_t *sum)
{
	int fd = openat(store_root_fd(s), RUNMOUNT_CACHES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	while (d && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			fn(fd, de->d_name, sum);
	if (d)
		closedir(d);
}

static void measure(int dir, const char *name, uint64_t *sum)
{
	du_add(dir, name, sum);
}

/* Builds hold a lock on what they have mounted. */
static void drop(int dir, const char *name, uint64_t *sum)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes = 0;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	du_add(dir, name, &bytes);
	if (path_remove(dir, name) == 0)
		*sum += bytes;
}

int buildprune_look(struct store *s, struct arena *a, struct buildprune_list *out, struct err *e)
{
	struct buildcache_list all;
	struct image_records images;
	int r = buildcache_all(s, a, &all, e);

	if (r >= 0)
		r = image_list(s, a, &images, e);
	if (r < 0)
		return r;
	*out = (struct buildprune_list){.v = arena_array(a, all.n + 1, sizeof(*out->v))};
	for (size_t i = 0; i < all.n; i++) {
		struct buildprune_item *it = &out->v[out->n++];
		struct layer l;

		it->entry = all.v[i];
		if (!it->entry.diff_id || layer_find(s, it->entry.diff_id, a, &l, NULL) < 0)
			continue;
		it->bytes = l.size + it->entry.blob_size;
		it->shared = in_image(&images, it->entry.diff_id);
		out->bytes += it->bytes;
	}
	qsort(out->v, out->n, sizeof(*out->v), by_use);
	each_mount(s, measure, &out->mount_bytes);
	return 0;
}

/* ---- freeing ---- */

/* A step or a cache directory. */
struct part {
	const struct buildprune_item *item; /* NULL: a directory */
	const char *mount;
	uint64_t bytes; /* what goes with it, and with nothing else */
	int64_t used_ns;
};

struct parts {
	struct arena *a;
	struct part *v;
	size_t n;
	uint64_t bytes;
	int dir; /* of the cache directories */
};

static void add_part(struct parts *p, const struct part *one)
{
	p->v = arena_room(p->a, p->v, p->n, sizeof(*p->v));
	p->v[p->n++] = *one;
	p->bytes += one->bytes;
}

static void add_mounts(struct parts *p)
{
	struct strs names = {0};

	if (p->dir < 0 || path_names(p->dir, p->a, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		struct part one = {.mount = names.v[i]};
		struct stat st;

		if (fstatat(p->dir, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		one.used_ns = (int64_t)st.st_atim.tv_sec * 1000000000 + st.st_atim.tv_nsec;
		du_add(p->dir, names.v[i], &one.bytes);
		add_part(p, &one);
	}
}

/* A layer goes with the last step that made it: the list is sorted by use. */
static bool is_last(const struct buildprune_list *l, size_t i)
{
	for (size_t k = i + 1; k < l->n; k++)
		if (l->v[k].entry.diff_id && streq(l->v[k].entry.diff_id, l->v[i].entry.diff_id))
			return false;
	return true;
}

static void add_steps(struct parts *p, const struct buildprune_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct buildprune_item *it = &l->v[i];
		bool frees = it->entry.diff_id && !it->shared && is_last(l, i);

		add_part(p, &(struct part){.item = it,
					   .bytes = frees ? it->bytes : 0,
					   .used_ns = it->entry.used_ns});
	}
}

static int by_age(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

int buildprune_run(struct store *s, const struct buildprune_opts *o, uint64_t *freed, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir =
	    openat(store_root_fd(s), RUNMOUNT_CACHES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct parts p = {.a = &a, .dir = dir};
	struct gc_result gone = {0};
	struct buildprune_list l;
	int r = buildprune_look(s, &a, &l, e);

	*freed = 0;
	if (r < 0)
		return r;
	add_mounts(&p);
	add_steps(&p, &l);
	if (p.n)
		qsort(p.v, p.n, sizeof(*p.v), by_age);
	for (size_t i = 0; r >= 0 && i < p.n && (p.bytes > o->keep || !o->keep); i++) {
		if (o->before_ns && p.v[i].used_ns >= o->before_ns)
			break;
		if (p.v[i].item)
			r = buildcache_remove(s, p.v[i].item->entry.key, e);
		else
			drop(p.dir, p.v[i].mount, freed);
		p.bytes -= p.v[i].bytes;
	}
	if (r >= 0)
		r = gc_run(s, &gone, e);
	*freed += gone.bytes;
	return r;
}

int buildprune_limit(struct store *s, struct err *e)
{
	struct buildprune_opts o = {.keep = buildcache_limit(s)};
	uint64_t freed;

	return o.keep ? buildprune_run(s, &o, &freed, e) : 0;
}

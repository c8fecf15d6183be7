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

int buildprune_run(struct store *s, uint64_t keep, uint64_t *freed, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct gc_result gone = {0};
	struct buildprune_list l;
	int r = buildprune_look(s, &a, &l, e);

	for (size_t i = 0; r >= 0 && i < l.n && (l.bytes > keep || !keep); i++) {
		r = buildcache_remove(s, l.v[i].entry.key, e);
		l.bytes -= l.v[i].bytes;
	}
	if (r >= 0)
		r = gc_run(s, &gone, e);
	*freed = gone.bytes;
	if (r >= 0 && !keep)
		each_mount(s, drop, freed);
	return r;
}

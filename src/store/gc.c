/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gc.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "store/blob.h"
#include "store/buildcache.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/part.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/du.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Hex names of everything that a record names, sorted for bsearch(). */
struct roots {
	struct strs blobs, layers, metas;
};

static int cache_roots(struct store *s, struct arena *a, struct roots *out, struct err *e)
{
	struct buildcache_list all;
	int r = buildcache_all(s, a, &all, e);

	for (size_t i = 0; r >= 0 && i < all.n; i++)
		if (all.v[i].diff_id) {
			arena_strs_add(a, &out->layers, digest_hex(all.v[i].diff_id));
			arena_strs_add(a, &out->blobs, digest_hex(all.v[i].blob));
		}
	return r;
}

static int find_roots(struct store *s, struct arena *a, struct roots *out, struct err *e)
{
	struct image_records all;
	int r = image_list(s, a, &all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		const struct image_record *rec = &all.v[i];

		arena_strs_add(a, &out->blobs, digest_hex(rec->id));
		arena_strs_add(a, &out->blobs, digest_hex(rec->manifest));
		if (rec->source)
			arena_strs_add(a, &out->blobs, digest_hex(rec->source));
		arena_strs_add(a, &out->metas, rec->chain);
		for (size_t k = 0; k < rec->blobs.n; k++)
			arena_strs_add(a, &out->blobs, digest_hex(rec->blobs.v[k]));
		for (size_t k = 0; k < rec->others.n; k++)
			arena_strs_add(a, &out->blobs, digest_hex(rec->others.v[k]));
		for (size_t k = 0; k < rec->attests.n; k++)
			arena_strs_add(a, &out->blobs, digest_hex(rec->attests.v[k]));
		for (size_t k = 0; k < rec->layers.n; k++)
			arena_strs_add(a, &out->layers, digest_hex(rec->layers.v[k]));
	}
	r = cache_roots(s, a, out, e);
	arena_strs_sort(&out->blobs);
	arena_strs_sort(&out->layers);
	arena_strs_sort(&out->metas);
	return r;
}

struct sweep {
	struct store *s;
	enum stage_kind kind;
	const struct strs *keep;
	uint64_t n, bytes;
};

/* Disk space of a blob or merged image, or of a layer in every form with its marks. */
static uint64_t space(const struct sweep *w, int dir, const char *name)
{
	static const char *const parts[] = {".erofs", ".json", ".dir", ".dir.json"};
	uint64_t bytes = 0;

	for (size_t i = 0; w->kind == STAGE_LAYER && i < sizeof(parts) / sizeof(*parts); i++) {
		char part[96];

		snprintf(part, sizeof(part), "%.64s%s", name, parts[i]);
		du_add(dir, part, &bytes);
	}
	if (w->kind != STAGE_LAYER)
		du_add(dir, name, &bytes);
	return bytes;
}

static void collect(struct sweep *w, int dir, const char *name)
{
	char digest[DIGEST_LEN + 1];
	uint64_t bytes;
	int r;

	snprintf(digest, sizeof(digest), "sha256:%.64s", name);
	if (!digest_valid(digest)) {
		/* A temporary file of file_replace() whose writer died.  Marks of layers are
		 * written under the lock of their directory, not the store's. */
		if (name[0] == '.' && strstr(name, ".tmp-") && flock(dir, LOCK_EX | LOCK_NB) == 0) {
			unlinkat(dir, name, 0);
			flock(dir, LOCK_UN);
		}
		return;
	}
	if (arena_strs_has(w->keep, digest_hex(digest)) ||
	    stage_leased(w->s, w->kind, digest_hex(digest)))
		return;
	bytes = space(w, dir, name);
	if (fault_point("gc-collect") < 0)
		return;
	if (w->kind == STAGE_LAYER) {
		rootfs_forget(w->s, digest);
		r = layer_remove(w->s, digest, NULL);
	} else {
		r = path_remove(dir, name);
	}
	if (r == 0) {
		w->n++;
		w->bytes += bytes;
	}
}

/* Records are replaced under the shared lock, so a half-written one has no writer now. */
static void sweep_records(struct store *s)
{
	int fd = store_dir(s, "images", NULL);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (de->d_name[0] == '.' && strstr(de->d_name, ".tmp-"))
			unlinkat(fd, de->d_name, 0);
	if (d)
		closedir(d);
}

static int sweep_dir(struct sweep *w, const char *name, struct err *e)
{
	int fd = store_dir(w->s, name, e);
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d)
		abort();
	while ((de = readdir(d))) {
		struct stat st;

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		/* A layer is two entries; the second is gone when the first was met. */
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			collect(w, fd, de->d_name);
	}
	closedir(d);
	return 0;
}

int gc_run(struct store *s, struct gc_result *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int lock = store_lock(s, STORE_EXCLUSIVE, e);
	struct roots roots = {0};
	uint64_t parts_bytes = 0;
	struct sweep blobs = {s, STAGE_BLOB, &roots.blobs}, metas = {s, STAGE_META, &roots.metas},
		     layers = {s, STAGE_LAYER, &roots.layers};
	int r;

	if (lock < 0)
		return lock;
	r = find_roots(s, &a, &roots, e);
	if (r >= 0)
		r = sweep_dir(&metas, "metas", e);
	if (r >= 0)
		r = sweep_dir(&layers, "layers", e);
	if (r >= 0)
		r = sweep_dir(&blobs, "blobs/sha256", e);
	sweep_records(s);
	stage_sweep(s);
	part_sweep(s, PART_KEEP_S, NULL, &parts_bytes);
	if (r >= 0 && out)
		*out = (struct gc_result){blobs.n, layers.n, metas.n,
					  blobs.bytes + layers.bytes + metas.bytes + parts_bytes};
	return r;
}

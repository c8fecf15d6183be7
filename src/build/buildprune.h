/* SPDX-License-Identifier: Apache-2.0 */
/* buildprune - what builds have left behind for the next ones, and freeing it. */
#ifndef BUILD_BUILDPRUNE_H
#define BUILD_BUILDPRUNE_H

#include "base/arena.h"
#include "store/buildcache.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct buildprune_item {
	struct buildcache_entry entry;
	uint64_t bytes; /* of its layer, unpacked and compressed; 0: the step made no file */
	bool shared;	/* an image has the layer, too: forgetting the entry frees nothing */
};

struct buildprune_list {
	struct buildprune_item *v; /* longest unused first */
	size_t n;
	uint64_t bytes, mount_bytes; /* all layers; all directories of RUN --mount=type=cache */
};

int buildprune_look(struct store *s, struct arena *a, struct buildprune_list *out, struct err *e);

struct buildprune_opts {
	uint64_t
	    keep; /* bytes that may stay, of layers that no image has and of cache directories */
	int64_t before_ns; /* only what was used last before this, since 1970; 0: anything */
};

/* Forget steps and cache directories, longest unused first, until at most keep bytes are left, and
 * free what nothing else needs.  What a running build uses stays: it holds its layers, and a lock
 * on its directories.  *freed: bytes on disk. */
int buildprune_run(struct store *s, const struct buildprune_opts *o, uint64_t *freed,
		   struct err *e);

/* Keep the limit of this store, if it has one: after a build. */
int buildprune_limit(struct store *s, struct err *e);

#endif

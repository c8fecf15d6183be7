/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - what takes disk space: images, instances, volumes, and what belongs to none of them.
 *
 * Bytes are blocks taken (sys/du.h), not lengths.  An image takes its configuration, manifest,
 * compressed layers, unpacked layers in every form with their marks, and its merged metadata; what
 * two images (ids) share counts once in the sum.  "shared" of an image is what another image takes
 * too, "own" is what would come back if only this image went.
 */
#ifndef ENGINE_USAGE_H
#define ENGINE_USAGE_H

#include "base/arena.h"

#include <stdint.h>

struct err;
struct session;

struct usage_image {
	struct strs names; /* as users write them */
	const char *id;
	int64_t created_s; /* since the epoch; 0: not said */
	uint64_t bytes, shared, own;
	uint64_t instances;
};
struct usage_instance {
	const char *id, *name, *image, *status;
	uint64_t bytes; /* of what is its own: the writable root, logs, records */
};
struct usage_volume {
	const char *name;
	uint64_t bytes, instances;
};
/* One line of the summary. */
struct usage_sum {
	uint64_t count, active; /* active: used by an instance; of instances: not ended */
	uint64_t bytes, reclaimable;
};

struct usage {
	struct usage_sum images, instances, volumes;
	/* Caches of ours and what killed commands left; the latter is reclaimable. */
	struct usage_sum cache;
	struct {
		struct usage_image *v;
		size_t n;
	} image_list;
	struct {
		struct usage_instance *v;
		size_t n;
	} instance_list;
	struct {
		struct usage_volume *v;
		size_t n;
	} volume_list;
};

struct instance;
/* What one instance takes of its own, and what its image's layers take.  What cannot be read takes
 * nothing. */
void usage_of_instance(struct session *s, const struct instance *i, uint64_t *own, uint64_t *image);

/* Strings go into a. */
int usage_gather(struct session *s, struct arena *a, struct usage *out, struct err *e);

#endif

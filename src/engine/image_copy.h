/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_copy - an image from one place to another, byte for byte: registries, layouts, archives,
 * the store (engine/copy_end.h says how they are written).
 *
 * Nothing is unpacked, except into the store, which is a pull.  What the other end has is neither
 * fetched nor sent.
 */
#ifndef ENGINE_IMAGE_COPY_H
#define ENGINE_IMAGE_COPY_H

#include "engine/image_pull.h"

#define IMAGE_COPY_MANIFESTS_MAX 1000 /* of one index, with those inside it */

struct image_copy_opts {
	struct image_pull_opts pull; /* platform, progress, and what a pull wants */
	bool all;		     /* an index with everything that it names */
};

/* *digest: of what arrived.  ERR_USAGE, ERR_NOT_FOUND, ERR_UNSUPPORTED, ERR_CORRUPT, ... */
int image_copy_run(struct store *s, const char *from, const char *to,
		   const struct image_copy_opts *o, struct arena *a, const char **digest,
		   struct err *e);

#endif

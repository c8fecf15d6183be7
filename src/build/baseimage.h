/* SPDX-License-Identifier: Apache-2.0 */
/* baseimage - an image that a Dockerfile names, with its layers held for a build, as the lock file
 * pins it. */
#ifndef BUILD_BASEIMAGE_H
#define BUILD_BASEIMAGE_H

#include "fmt/oci_image.h"

#include <stdbool.h>

struct arena;
struct err;
struct image;
struct lockfile;
struct session;
struct stage;
struct store;

struct baseimage {
	struct session *s;
	struct store *store;
	struct stage *lease; /* holds the layers */
	const struct lockfile *lock;
	bool pull; /* ask the registry for newer ones */
	/* What a name stands for from now on; what became of one that is pinned. */
	void (*pinned)(void *ctx, const char *name, const char *digest);
	void (*drifted)(void *ctx, const char *text);
	void *ctx;
};

/* ref: a name, an id, or "oci:DIRECTORY[:TAG]", which is as it lies there.  *layers live in a,
 * *out is closed with image_close().  Errors: ERR_NOT_FOUND, and what a pull says. */
int baseimage_hold(const struct baseimage *b, const char *ref, struct arena *a, struct image **out,
		   struct oci_descriptors *layers, struct err *e);

#endif

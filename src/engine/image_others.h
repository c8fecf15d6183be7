/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_others - what an index names beside the image that was chosen from it: the other platforms'
 * manifests, configurations and layers, kept as they came, not unpacked, so that the whole can go
 * on from here.
 */
#ifndef ENGINE_IMAGE_OTHERS_H
#define ENGINE_IMAGE_OTHERS_H

#include "engine/image_pull.h"

struct image_fetch;
struct stage;

struct image_others {
	struct store *store;
	struct stage *stage; /* has leases of what is here when this returns */
	struct image_fetch *fetch;
	const struct image_pull_opts *opts;
	const char *source; /* as typed, for events */
	const char *index;  /* digest; the document is in the store */
	const char *chosen; /* digest of the manifest that needs nothing more */
};

/* *out (in a): digests of everything that was kept or was here, for the image's record. */
int image_others_fetch(const struct image_others *o, struct arena *a, struct strs *out,
		       struct err *e);

#endif

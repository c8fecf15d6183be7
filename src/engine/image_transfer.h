/* SPDX-License-Identifier: Apache-2.0 */
/* image_transfer - one image from a running caisson-fetch into the store. */
#ifndef ENGINE_IMAGE_TRANSFER_H
#define ENGINE_IMAGE_TRANSFER_H

#include "engine/image_pull.h"

struct image_fetch;
struct signature_gate;

struct image_transfer {
	struct store *store;
	struct image_fetch *fetch;
	const char *source; /* as typed, for events */
	const char *ref;    /* what to ask the manifest by; NULL: the only one */
	struct strs names;  /* canonical names to record it under */
	const struct image_pull_opts *opts;
	bool parts; /* share downloads with others, and go on with what was broken off */
	const struct signature_gate *gate; /* NULL: nothing is asked of it */
};

int image_transfer(const struct image_transfer *t, struct arena *a, struct image_pulled *out,
		   struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* image_ensure - an image that is wanted now: from the store, built in, or pulled as the policy
 * says. */
#ifndef ENGINE_IMAGE_ENSURE_H
#define ENGINE_IMAGE_ENSURE_H

#include "engine/image_pull.h"

struct image;

/* ref: a name, id or beginning of an id.  Close *out with image_close().  While the caller still
 * needs it unnamed by an instance record it holds STORE_SHARED (store/store.h). Errors:
 * ERR_NOT_FOUND "no image 'x'", and those of image_pull_run(). */
int image_ensure(struct store *s, const char *ref, const struct image_pull_opts *o,
		 struct image **out, struct err *e);

/* The same, and STORE_SHARED, under which it is sure to stay: the lock's descriptor. */
int image_ensure_hold(struct store *s, const char *ref, const struct image_pull_opts *o,
		      struct image **out, struct err *e);

#endif

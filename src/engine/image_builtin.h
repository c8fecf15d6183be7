/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_builtin - images that come with caisson: caisson/tiny, an OCI layout in the data directory.
 * Their names never reach a registry, so nobody can publish something else under them.
 */
#ifndef ENGINE_IMAGE_BUILTIN_H
#define ENGINE_IMAGE_BUILTIN_H

#include "engine/image_pull.h"

bool image_builtin_is(const char *ref);
int image_builtin_load(struct store *s, const char *ref, const struct image_pull_opts *o,
		       struct arena *a, struct image_pulled *out, struct err *e);

#endif

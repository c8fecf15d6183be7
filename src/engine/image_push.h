/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_push - send an image of the store to the registry that its name says.
 *
 * What goes is what came: manifest, configuration and layers byte for byte, so the digest there is
 * the digest here.  What the registry has is not sent; what another repository of it has, as far as
 * this store knows, is mounted there.  The manifest goes last.
 */
#ifndef ENGINE_IMAGE_PUSH_H
#define ENGINE_IMAGE_PUSH_H

#include "engine/image_pull.h"

struct image_push_opts {
	bool all_tags; /* every tag of the repository that is here */
	void (*progress)(const struct image_event *ev, void *arg); /* may be NULL */
	void *arg;
};

struct image_pushed {
	const char *name, *tag, *digest; /* name: canonical */
	uint64_t size;			 /* of the manifest */
};
struct image_pushes {
	struct image_pushed *v;
	size_t n;
};

/* Strings of *out go into a.  Errors: ERR_USAGE a name with a digest, ERR_NOT_FOUND, ERR_DENIED,
 * ERR_CORRUPT the registry lies, ... */
int image_push_run(struct store *s, const char *name, const struct image_push_opts *o,
		   struct arena *a, struct image_pushes *out, struct err *e);

#endif

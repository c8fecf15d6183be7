/* SPDX-License-Identifier: Apache-2.0 */
/* image_history - how an image says it was made, and what each of its layers takes here. */
#ifndef ENGINE_IMAGE_HISTORY_H
#define ENGINE_IMAGE_HISTORY_H

#include "base/arena.h"

#include <stdint.h>

struct err;
struct session;

struct image_step {
	const char *id;			  /* of the image, on the newest step only; else NULL */
	int64_t created_s;		  /* since the epoch; 0: not said */
	const char *created_by, *comment; /* the image's own text, or "" */
	uint64_t size;			  /* bytes of its layer unpacked; 0: it has none */
};
struct image_steps {
	struct image_step *v;
	size_t n;
};

/* Newest first.  Layers that the history does not speak of are steps without text. */
int image_history_list(struct session *s, const char *name_or_id, struct arena *a,
		       struct image_steps *out, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* image_ctl - the verbs about images that are here: list, inspect, tag, remove, import. */
#ifndef ENGINE_IMAGE_CTL_H
#define ENGINE_IMAGE_CTL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct session;

/* One name of an image (or none), as `images` shows it; strings as users write them. */
struct image_row {
	const char *repository, *tag; /* NULL: none */
	const char *digest;	      /* what a reference by digest would name */
	const char *id;		      /* "sha256:..." */
	const char *platform;
	int64_t created_s; /* since the epoch; 0: not said */
	uint64_t size;	   /* bytes unpacked, shared ones included */
};
struct image_rows {
	struct image_row *v;
	size_t n;
};

/* Newest first, then by name.  like: only this repository or name, or NULL. */
int image_ctl_list(struct session *s, const char *like, struct arena *a, struct image_rows *out,
		   struct err *e);

/* A JSON object as docker's `image inspect` has it. */
int image_ctl_inspect(struct session *s, const char *name_or_id, struct buf *out, struct err *e);

int image_ctl_tag(struct session *s, const char *name_or_id, const char *name, struct err *e);

struct image_ctl_removed {
	struct strs untagged;
	const char *deleted; /* id or NULL */
};
/* Also collects what nothing uses any more. */
int image_ctl_remove(struct session *s, const char *name_or_id, bool force, struct arena *a,
		     struct image_ctl_removed *out, struct err *e);

#endif

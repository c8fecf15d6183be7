/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_review - what an image brings, before it runs: caisson-review's findings about its files
 * (spec/review.h) and what its configuration says.
 *
 * Nothing is mounted or executed.  Layers that are here as directories only are made into images
 * first, from their blobs.
 */
#ifndef ENGINE_IMAGE_REVIEW_H
#define ENGINE_IMAGE_REVIEW_H

#include "fmt/oci_image.h"
#include "spec/review.h"

struct buf;
struct err;
struct image;
struct session;

struct image_review {
	struct review found; /* with what environment and history reveal */
	struct image *image; /* owns the following */
	const struct oci_config *config;
	const char *id, *manifest, *platform;
	const char *name; /* as users write it; the id when it has none */
	uint64_t bytes, wasted;
};

/* files: list every file.  Strings of *out go into a; release with image_review_done().
 * Errors: ERR_NOT_FOUND, ERR_CORRUPT, ERR_LIMIT. */
int image_review_run(struct session *s, const char *ref, bool files, struct arena *a,
		     struct image_review *out, struct err *e);
void image_review_done(struct image_review *v);
#define auto_review __attribute__((cleanup(image_review_done)))

/* What is different in the files of two images.  times: also where only the time is.
 * Strings of *out go into a. */
int image_review_compare(struct session *s, const char *from, const char *to, bool times,
			 struct arena *a, struct review_changes *out, struct err *e);

/* Everything as one JSON object (docs/cli/image_review.md). */
void image_review_json(const struct image_review *v, struct buf *out);

/* Whether it runs as root: 1, 0, or -1 when its account is not in the image. */
int image_review_root(const struct image_review *v);

#endif

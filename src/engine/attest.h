/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attest - what is said about an image beside it: statements (in-toto) as artifacts whose subject
 * is the image's manifest.  They lie in the store with the image, and go along when it is pushed.
 * Source: OCI image-spec v1.1, manifest.md, "Guidelines for Artifact Usage"; distribution-spec
 * v1.1, "Listing Referrers", "Referrers Tag Schema".
 */
#ifndef ENGINE_ATTEST_H
#define ENGINE_ATTEST_H

#include <stddef.h>

struct arena;
struct err;
struct image_fetch;
struct image_record;
struct stage;
struct store;

#define ATTEST_TYPE "application/vnd.in-toto+json"
#define ATTEST_MAX  16 /* statements about one image */

struct attest_doc {
	const char *text, *predicate; /* predicate: its type, an address */
	size_t len;
};

/* Say these about the image with this manifest, in every record of it; n 0: nothing any more. */
int attest_put(struct store *s, struct stage *st, const char *manifest, const struct attest_doc *v,
	       size_t n, struct err *e);

/* Send what is said about an image that was pushed just now. */
int attest_push(struct store *s, struct image_fetch *f, const struct image_record *r,
		struct arena *a, struct err *e);

#endif

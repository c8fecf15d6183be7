/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan - what an image's layers bring, by looking at every file of the merged tree once, and once
 * more for secrets at those that a layer above hides.
 */
#ifndef REVIEW_SCAN_H
#define REVIEW_SCAN_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct merge_layer;
struct review;

struct scan_opts {
	bool files;	  /* list every regular file */
	const char *user; /* the user the image runs as, to be looked up; NULL or "": root */
};

/* layers: bottom first, EROFS images of ours.  Strings of *out go into a.  The same layers give the
 * same result, in the same order.  Errors: ERR_CORRUPT, ERR_LIMIT. */
int scan_run(const struct merge_layer *layers, size_t n, const struct scan_opts *o, struct arena *a,
	     struct review *out, struct err *e);

#endif

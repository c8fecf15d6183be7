/* SPDX-License-Identifier: Apache-2.0 */
/* compare_trees - what is different in the files of two images, each merged from its layers. */
#ifndef REVIEW_COMPARE_TREES_H
#define REVIEW_COMPARE_TREES_H

#include "spec/review.h"

struct merge_layer;

struct compare_trees_side {
	const struct merge_layer *layers; /* bottom first */
	size_t n;
};

/* times: also what differs in its time only.  Strings of *out go into a.  Errors: ERR_CORRUPT,
 * ERR_LIMIT. */
int compare_trees_run(const struct compare_trees_side *from, const struct compare_trees_side *to,
		      bool times, struct arena *a, struct review_changes *out, struct err *e);

#endif

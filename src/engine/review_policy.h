/* SPDX-License-Identifier: Apache-2.0 */
/* review_policy - what a reviewed image may bring, by the user's file
 * (docs/formats/review-policy.md). */
#ifndef ENGINE_REVIEW_POLICY_H
#define ENGINE_REVIEW_POLICY_H

#include "base/arena.h"

struct err;
struct image_review;

/* text: the policy's JSON.  *broken: one line for every rule that does not hold, in a.
 * Errors: ERR_CORRUPT, ERR_USAGE a word that is not known. */
int review_policy_check(const char *text, size_t len, const struct image_review *v, struct arena *a,
			struct strs *broken, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* reportwords - what a report says, in sentences. */
#ifndef COMPARE_REPORTWORDS_H
#define COMPARE_REPORTWORDS_H

struct arena;
struct report;
struct strs;

/* Sentences that follow from the figures, the most important first; none where figures lack.  A
 * difference within the intervals of the medians is said to be none. */
void reportwords_verdict(const struct report *r, struct arena *a, struct strs *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* reportdiff - two reports beside one another: two machines, or two versions. */
#ifndef COMPARE_REPORTDIFF_H
#define COMPARE_REPORTDIFF_H

struct buf;
struct report;

/* A table of 80 columns: for every figure that both have, the two medians, their ratio, and whether
 * the intervals of the medians are apart; where they overlap the two are not told apart. */
void reportdiff_write(const struct report *a, const struct report *b, const char *name_a,
		      const char *name_b, struct buf *out);

#endif

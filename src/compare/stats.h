/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - what may be said about a handful of measurements without assuming their distribution.
 *
 * The interval is a bootstrap: the samples are drawn again, with replacement, 1,000 times, and the
 * interval holds the middle 95 % of the medians of these.  The same samples give the same interval.
 * Below six samples no interval between two of them holds the true median with 95 %; then it is
 * smallest to largest, and .level says what that is worth.  Sources: Efron and Tibshirani, An
 * Introduction to the Bootstrap, section 13.3; David and Nagaraja, Order Statistics, section 7.1.
 */
#ifndef COMPARE_STATS_H
#define COMPARE_STATS_H

#include <stddef.h>

struct stats {
	size_t n;
	double min, max, median;
	double low, high; /* interval of the median */
	double level;	  /* probability that it holds the true median, 0..1 */
	double p95; /* nearest rank: the smallest value that at least 95 % of all do not exceed */
};

/* n values, in any order, not changed.  -EINVAL with n 0; *out is then untouched. */
int stats_of(const double *v, size_t n, struct stats *out);

#endif

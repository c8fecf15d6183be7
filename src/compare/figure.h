/* SPDX-License-Identifier: Apache-2.0 */
/* figure - a number with its unit, as people read it. */
#ifndef COMPARE_FIGURE_H
#define COMPARE_FIGURE_H

#include "compare/report.h"

#include <stddef.h>

struct buf;
struct stats;

struct figure_scale {
	double by; /* divide by it */
	const char *name;
};

/* ns to s, bytes to GiB: the largest unit of which v is at least one. */
struct figure_scale figure_scale(enum report_unit unit, double v);
/* Three digits, never in exponents. */
void figure_digits(struct buf *out, double v);
/* "12.8 ms" */
void figure_put(struct buf *out, enum report_unit unit, double v);
/* The median, and the interval that holds it when it is one: "12.8 ms [12.4-13.1]", to for '-'. */
void figure_interval(struct buf *out, enum report_unit unit, const struct stats *s, const char *to);
/* The same where it fits into room bytes, else how far its farther end is: "14.6 GiB/s +-22 %". */
void figure_within(struct buf *out, enum report_unit unit, const struct stats *s, size_t room);

#endif

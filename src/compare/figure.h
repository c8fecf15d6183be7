/* SPDX-License-Identifier: Apache-2.0 */
/* figure - a number with its unit, as people read it. */
#ifndef COMPARE_FIGURE_H
#define COMPARE_FIGURE_H

#include "compare/report.h"

struct buf;

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

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reportclaim - "container.first_output_p95 < 30ms": what a report must show, for those who let a
 * machine look at it.
 *
 *	SUBJECT.KEY[_STATISTIC] OPERATOR NUMBER[UNIT]
 *
 * SUBJECT and KEY as in the JSON report ("start" is first_output); the statistic is median (also
 * p50, and when none is given), p95, min, max or n; operators are < <= > >=; units are ns us ms s,
 *and B KiB MiB GiB.
 */
#ifndef COMPARE_REPORTCLAIM_H
#define COMPARE_REPORTCLAIM_H

#include "compare/report.h"

struct buf;
struct err;

enum reportclaim_statistic {
	REPORTCLAIM_MEDIAN,
	REPORTCLAIM_P95,
	REPORTCLAIM_MIN,
	REPORTCLAIM_MAX,
	REPORTCLAIM_N,
};

struct reportclaim {
	const char *text; /* as typed, borrowed */
	enum report_subject subject;
	unsigned int row;
	enum reportclaim_statistic statistic;
	bool less, equal;
	double value; /* ns, bytes or a count */
};

/* ERR_USAGE names what was typed and what was expected. */
int reportclaim_parse(const char *text, struct reportclaim *out, struct err *e);

/* Whether it holds.  If not, why is one line: what was measured, or why nothing was. */
bool reportclaim_holds(const struct reportclaim *c, const struct report *r, struct buf *why);

#endif

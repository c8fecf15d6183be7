/* SPDX-License-Identifier: Apache-2.0 */
/* phases - the engine's own trace of one command (spec/trace.h) as figures of a report. */
#ifndef COMPARE_PHASES_H
#define COMPARE_PHASES_H

#include "compare/report.h"

/* Adds, for each phase that began and ended, the time from its first begin to its last end, and
 * that from the first event of all to its begin.  A file that cannot be read, and lines that are no
 * events, count as nothing. */
void phases_collect(struct report *r, enum report_subject s, const char *file);

/* The same from text; for phases_collect() and its test. */
void phases_parse(struct report *r, enum report_subject s, const char *text);

#endif

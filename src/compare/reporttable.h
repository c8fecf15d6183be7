/* SPDX-License-Identifier: Apache-2.0 */
/* reporttable - a report for people: on a terminal, and in a page of Markdown. */
#ifndef COMPARE_REPORTTABLE_H
#define COMPARE_REPORTTABLE_H

struct buf;
struct report;

/* Fits 80 columns. */
void reporttable_write(const struct report *r, struct buf *out);
void reporttable_markdown(const struct report *r, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* reportpage - a report as one page of HTML that needs nothing else: no script, no address, its own
 * raw data. */
#ifndef COMPARE_REPORTPAGE_H
#define COMPARE_REPORTPAGE_H

struct buf;
struct report;

void reportpage_write(const struct report *r, struct buf *out);

#endif

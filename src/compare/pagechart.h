/* SPDX-License-Identifier: Apache-2.0 */
/* pagechart - what of a report is more than a bar: density, the phases of a start, the attempts. */
#ifndef COMPARE_PAGECHART_H
#define COMPARE_PAGECHART_H

struct buf;
struct report;

/* Each a section with its heading; nothing where nothing was measured. */
void pagechart_density(struct buf *out, const struct report *r);
void pagechart_timeline(struct buf *out, const struct report *r);
void pagechart_attempts(struct buf *out, const struct report *r);

#endif

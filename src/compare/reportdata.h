/* SPDX-License-Identifier: Apache-2.0 */
/* reportdata - a report for programs: every sample as JSON, a line for each cell as CSV, and JSON
 * read back. */
#ifndef COMPARE_REPORTDATA_H
#define COMPARE_REPORTDATA_H

#include <stddef.h>

struct arena;
struct buf;
struct err;
struct report;

void reportdata_json(const struct report *r, struct buf *out);
/* RFC 4180. */
void reportdata_csv(const struct report *r, struct buf *out);

/* JSON of any version of this program: rows that this one does not know are passed over.  what
 * names the document in errors.  ERR_CORRUPT: it is no report. */
int reportdata_read(const char *text, size_t len, const char *what, struct arena *a,
		    struct report *out, struct err *e);

#endif

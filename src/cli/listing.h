/* SPDX-License-Identifier: Apache-2.0 */
/* listing - the lines of a list as it goes out: cells in columns, or as --format made them. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include <stdbool.h>

struct buf;
struct err;

/* Append them; columns: cells stand between tabs and are aligned (template_align()). */
void listing_add(const struct buf *lines, bool columns, struct buf *out);

/* To standard output.  0, 1 when that cannot be written, ERR_LIMIT when they are too long. */
int listing_print(const struct buf *lines, bool columns, struct err *e);

#endif

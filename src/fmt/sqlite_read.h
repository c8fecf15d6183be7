/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_read - the rows of one table of an SQLite 3 database that lies in memory; for the package
 * database of rpm, which an image's author wrote.
 *
 * Only what that takes: UTF-8, tables with a rowid, the rows in the order of the tree.  A page is
 * looked at once at most, so a tree that points back into itself ends as ERR_CORRUPT.  What still
 * stands in a write-ahead log is not in the file and not seen.
 * Source: sqlite.org/fileformat2.html, sections 1.3, 1.6, 2.1.
 */
#ifndef FMT_SQLITE_READ_H
#define FMT_SQLITE_READ_H

#include <stddef.h>
#include <stdint.h>

struct err;

#define SQLITE_READ_ROW (16u << 20) /* bytes of one row that are looked at */

/* Call fn with the given column (from 0) of every row of a table, when it is text or a blob; the
 * bytes are valid during the call.  What fn returns < 0 is returned.
 * Errors: ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND no such table, ERR_UNSUPPORTED. */
int sqlite_read_column(const void *db, size_t len, const char *table, unsigned int column,
		       int (*fn)(void *arg, const void *p, size_t len, struct err *e), void *arg,
		       struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* pretty - JSON descriptions as `inspect` commands show them. */
#ifndef CLI_PRETTY_H
#define CLI_PRETTY_H

#include <stdbool.h>

struct buf;
struct err;

/* Append one description (compact JSON of ours): without format, an element of an array that the
 * caller ends with "\n]\n"; with "json" one line; else the template filled from it. */
int pretty_one(const struct buf *text, const char *format, bool first, struct buf *out,
	       struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* pretty - JSON descriptions as `inspect` commands show them. */
#ifndef CLI_PRETTY_H
#define CLI_PRETTY_H

#include <stdbool.h>

struct buf;
struct err;
struct session;

/* Append one description (compact JSON of ours): without format, an element of an array that the
 * caller ends with "\n]\n"; with "json" one line; else the template filled from it. */
int pretty_one(const struct buf *text, const char *format, bool first, struct buf *out,
	       struct err *e);

/* An inspect command: everything named, each described by describe(), on standard output.  What is
 * not found is told on stderr and does not keep the others from it.  0, or 1 when any failed. */
int pretty_each(struct session *s, int argc, char **argv, const char *format,
		int (*describe)(struct session *s, const char *name, struct buf *text,
				struct err *e));

#endif

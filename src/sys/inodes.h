/* SPDX-License-Identifier: Apache-2.0 */
/* inodes - the files with several names that a walk has met, and under which name first. */
#ifndef SYS_INODES_H
#define SYS_INODES_H

#include "base/arena.h"

#include <stddef.h>
#include <sys/stat.h>

struct inodes_entry;
struct inodes {
	struct inodes_entry *v; /* a power of two of slots, at most half full */
	size_t slots, n;
	struct arena names;
};

/* The name under which this file was given before, or NULL: then name is remembered, a copy of it.
 * A file with one link only is never remembered. */
const char *inodes_before(struct inodes *s, const struct stat *st, const char *name);

void inodes_free(struct inodes *s);

#endif

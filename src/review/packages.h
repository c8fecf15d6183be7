/* SPDX-License-Identifier: Apache-2.0 */
/* packages - which files of a tree are databases of installed packages, and what they say. */
#ifndef REVIEW_PACKAGES_H
#define REVIEW_PACKAGES_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

struct content;
struct err;
struct review;
struct tree_inode;

/* The packages found so far; capacity grows by doubling. */
struct packages {
	struct arena *arena;
	struct review *out;
	size_t room;
	/* of the file that is being read */
	const char *type, *path;
	uint32_t layer;
};

/* Look at one regular file of the merged tree by its path.  One that cannot be read is told in
 * out->not_read.  Errors: ERR_LIMIT too many packages. */
int packages_look(struct packages *k, struct content *c, const char *path,
		  const struct tree_inode *in, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes - what an instance did to its image's files, from its overlay's upper directory, as
 * docker's `diff` tells it: A added, C changed, D deleted.
 *
 * The upper directory is a workload's and may change meanwhile: nothing is followed, what goes away
 * is passed over.
 */
#ifndef FILES_CHANGES_H
#define FILES_CHANGES_H

#include "base/arena.h"

#include <stdbool.h>

struct buf;
struct err;

struct changes_opts {
	bool user_marks;	 /* of a mount with userxattr */
	bool fuse_marks;	 /* of fuse-overlayfs */
	const struct strs *skip; /* "etc/hosts": places for mounts, not told while they are empty */
};

/* lower: root of the image's files, or -1 for none.  Appends "A /path" and a NUL for each, in the
 * order of the paths.  Errors: ERR_LIMIT, ERR_SYSTEM. */
int changes_list(int upper, int lower, const struct changes_opts *o, struct buf *out,
		 struct err *e);

#endif

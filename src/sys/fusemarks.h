/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fusemarks - what an upper directory of fuse-overlayfs says by names and attributes
 * (sys/fuseoverlay.h).  Its mount refuses such names, so none of them is a workload's.
 */
#ifndef SYS_FUSEMARKS_H
#define SYS_FUSEMARKS_H

#include <stdbool.h>

/* The name that ".wh.NAME" takes away; "" for a mark of the directory itself; NULL: an entry like
 * any other. */
const char *fusemarks_whiteout(const char *name);
/* Does the directory hide the one below it? */
bool fusemarks_opaque(int fd);
/* Is there nothing in it but such marks?  They are removed then, with remove. */
bool fusemarks_empty(int fd, bool remove);
/* An attribute of the program's own. */
bool fusemarks_xattr(const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* copyup - the content of an image's directory into the tmpfs that will cover it ("tmpcopyup"). */
#ifndef RUNTIME_COPYUP_H
#define RUNTIME_COPYUP_H

/* Copy what is in the directory from (may be O_PATH) into the directory to: files, directories,
 * links, FIFOs, with owner and mode; devices only where they may be made.  Links are not followed.
 * 0 or -errno (-ENOSPC when the tmpfs is too small, -ELOOP for a tree deeper than any path). */
int copyup_tree(int from, int to);

#endif

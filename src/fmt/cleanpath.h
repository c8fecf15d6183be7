/* SPDX-License-Identifier: Apache-2.0 */
/* cleanpath - what a path means when nothing in it is a link. */
#ifndef FMT_CLEANPATH_H
#define FMT_CLEANPATH_H

#include <stdbool.h>

/* Write path to out without "//", "." and "..", and without '/' at either end; "" is the root
 * itself. out has room for strlen(path) + 1 bytes.  Returns whether no ".." led above the root
 * (those are dropped, as the kernel drops them at "/"). */
bool cleanpath(const char *path, char *out);

#endif

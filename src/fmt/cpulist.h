/* SPDX-License-Identifier: Apache-2.0 */
/* cpulist - the kernel's form of a set of processors or memory nodes: "0-3,7". */
#ifndef FMT_CPULIST_H
#define FMT_CPULIST_H

#include <stddef.h>

/* A bit per number; an empty list is the empty set.  0, or -EINVAL for what is no list or does not
 * fit into bytes. */
int cpulist_parse(const char *list, unsigned char *mask, size_t bytes);

#endif

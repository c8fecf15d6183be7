/* SPDX-License-Identifier: Apache-2.0 */
/* footprint - blocks on disk and cgroup memory of one instance, read where the kernel counts them.
 */
#ifndef COMPARE_FOOTPRINT_H
#define COMPARE_FOOTPRINT_H

#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct strs;

/* Blocks of all paths, each a file or a directory.  Sizes are blocks allocated, so holes count as
 * nothing; links are not followed. */
int footprint_disk(const struct strs *paths, uint64_t *bytes, struct err *e);

/* Regular files below `root` that a process holds open, each once; those below `except` not. */
int footprint_open_files(pid_t pid, const char *root, const char *except, struct arena *a,
			 struct strs *out, struct err *e);

/* What the memory controller charges to the cgroup of pid.  ERR_UNSUPPORTED when that is the
 * caller's own. */
int footprint_cgroup(pid_t pid, uint64_t *bytes, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* footprint - blocks on disk and cgroup memory of one instance, read where the kernel counts them.
 */
#ifndef COMPARE_FOOTPRINT_H
#define COMPARE_FOOTPRINT_H

#include <stdint.h>
#include <sys/types.h>

struct err;
struct plan;

struct footprint {
	uint64_t own_bytes;    /* the instance's state directory, writable layer included */
	uint64_t shared_bytes; /* layers, and for a VM its merged image, kernel and initramfs */
};

/* root: the store's directory.  p: the instance's plan.  Sizes are blocks allocated, so holes count
 * as nothing. */
int footprint_disk(const char *root, const struct plan *p, struct footprint *out, struct err *e);

/* What the memory controller charges to the cgroup of pid.  ERR_UNSUPPORTED when that is the
 * caller's own. */
int footprint_cgroup(pid_t pid, uint64_t *bytes, struct err *e);

/* Blocks below path, which may be a file; links are not followed.  -errno. */
int64_t footprint_blocks(const char *path);

#endif

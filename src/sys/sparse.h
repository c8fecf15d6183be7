/* SPDX-License-Identifier: Apache-2.0 */
/* sparse - files that are mostly holes, and stay so when they are copied. */
#ifndef SYS_SPARSE_H
#define SYS_SPARSE_H

#include <stdint.h>
#include <sys/types.h>

/* Make `to`, an empty file, what `from` is: shared with it where the file system can (reflink),
 * else only what was written is copied.  The offsets of both change.  0 or -errno. */
int sparse_copy(int from, int to);

/* Call each(data, len, at) for every block of SPARSE_BLOCK bytes (the last one may be shorter) that
 * is not all zero, in order; holes are skipped.  What it returns < 0 ends the walk. */
#define SPARSE_BLOCK 65536
int sparse_each(int fd, int (*each)(const void *data, size_t len, uint64_t at, void *arg),
		void *arg);

#endif

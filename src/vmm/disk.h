/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - the guest's disks as descriptors for QEMU.
 *
 * The image disk is the concatenation of several files without copying: a VMDK descriptor text
 * (monolithicFlat) whose extents are the files, named /dev/fdset/<number>.  QEMU resolves such
 * names to descriptors it was handed, so it opens no path.
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include "base/arena.h"

#include <stdint.h>

struct buf;
struct err;

struct disk_extent {
	int fd;		/* as QEMU sees it */
	uint64_t bytes; /* a multiple of 512 */
};

/* The descriptor text of extents in this order. */
void disk_vmdk(const struct disk_extent *v, size_t n, struct buf *out);

/* Open the files read-only into fds[0..n).  Errors: ERR_NOT_FOUND, ERR_CORRUPT a file whose size is
 * no multiple of 512 bytes. */
int disk_open(const struct strs *files, int *fds, uint64_t *bytes, struct err *e);

/* A read-only descriptor of a memory file that holds text. */
int disk_text(const struct buf *text, struct err *e);

#endif

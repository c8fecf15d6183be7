/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpio - an initramfs archive, written in order.  Source: Linux, driver-api/early-userspace/
 * buffer-format.rst ("newc").  All entries belong to root, with time 0: same input, same bytes.
 */
#ifndef VMM_CPIO_H
#define VMM_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* A directory before what is in it.  path has no leading slash. */
void cpio_dir(struct buf *out, const char *path, uint32_t mode);
void cpio_file(struct buf *out, const char *path, uint32_t mode, const void *data, size_t len);
void cpio_device(struct buf *out, const char *path, uint32_t mode, uint32_t major, uint32_t minor);
void cpio_end(struct buf *out);

#endif

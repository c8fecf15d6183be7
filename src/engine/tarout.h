/* SPDX-License-Identifier: Apache-2.0 */
/* tarout - pieces of an archive of ours to a descriptor: the same bytes for the same files, owner
 * 0, modes 0644 and 0755, no times. */
#ifndef ENGINE_TAROUT_H
#define ENGINE_TAROUT_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

/* Whatever follows a header is the caller's to write, then tarout_pad(). */
int tarout_file(int fd, const char *name, uint64_t size, struct err *e);
int tarout_dir(int fd, const char *name, struct err *e);
int tarout_write(int fd, const void *data, size_t len, struct err *e);
int tarout_pad(int fd, uint64_t size, struct err *e);
/* A file whole; its name is in the error when text has failed. */
int tarout_document(int fd, const char *name, const struct buf *text, struct err *e);
int tarout_end(int fd, struct err *e);

#endif

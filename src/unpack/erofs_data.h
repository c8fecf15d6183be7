/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erofs_data - the growing part of an EROFS image: block 0 is left for the superblock, file data
 * follows block after block in the order of the tar.  erofs_meta.h adds the metadata behind it.
 *
 * A file is laid out when it begins, from its size alone, so that the same tar always gives the
 * same bytes: small ones keep their last partial block in memory for the metadata (tail packing),
 * sparse ones with big holes become arrays of chunks, all others fill whole blocks.
 */
#ifndef UNPACK_EROFS_DATA_H
#define UNPACK_EROFS_DATA_H

#include "unpack/sink.h"

#include <stdint.h>

struct err;
struct erofs_data;
struct tree;
struct tree_inode;

/* fd: an empty regular file, written from its start.  t: keeps tails and chunk arrays. */
int erofs_data_new(int fd, struct tree *t, struct erofs_data **out, struct err *e);
void erofs_data_free(struct erofs_data *d);

void erofs_data_sink(struct erofs_data *d, struct sink *out);

/* Append bytes, or zeros up to the next block. */
int erofs_data_append(struct erofs_data *d, const void *p, size_t len, struct err *e);
int erofs_data_pad(struct erofs_data *d, struct err *e);

/* The next block to be written; only at a block boundary. */
uint64_t erofs_data_block(const struct erofs_data *d);

/* Write everything out, set the file's length to whole blocks, put block 0 (EROFS_BLOCK bytes) into
 * place and wait until all of it is on disk. */
int erofs_data_finish(struct erofs_data *d, const void *block0, struct err *e);

/* Whether a tail of that many bytes may stand behind the inode of a file with these attributes. */
int erofs_data_tail_fits(uint64_t xattr_bytes, uint64_t tail);

/* Bytes that an inode's attributes take on disk, 0 for none. */
uint32_t erofs_data_xattr_bytes(const struct tree_inode *inode);

#endif

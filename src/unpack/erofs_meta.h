/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erofs_meta - the metadata of an EROFS image, written behind the file data when the tree is
 * complete: directory blocks, then inodes with their attributes, tails and chunk arrays, then the
 * superblock. docs/formats/layer.md describes the result.
 *
 * Order decides everything, nothing depends on time, addresses or hash values: the same tree after
 * the same data gives the same bytes.
 */
#ifndef UNPACK_EROFS_META_H
#define UNPACK_EROFS_META_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct erofs_data;
struct tree;

struct erofs_meta_opts {
	uint8_t uuid[16];
	const char *opaque_xattr; /* set to "y" on opaque directories; NULL: not recorded */
	/* Merged image: file data lies in other files that follow this one on the disk.  Block
	 * numbers of files are counted from the end of this image, and the superblock covers that
	 * many more. */
	bool foreign_data;
	uint64_t foreign_blocks;
};

/* Write everything that is missing and sync.  *size: bytes of the image file.
 * Errors: ERR_LIMIT when EROFS cannot express it, ERR_SYSTEM. */
int erofs_meta_write(struct tree *t, struct erofs_data *d, const struct erofs_meta_opts *opts,
		     uint64_t *size, struct err *e);

#endif

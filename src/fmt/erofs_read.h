/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erofs_read - look into an EROFS image that lies in memory.  It is meant for images we wrote, but
 * a disk or somebody with access to it may have changed them: every number is checked before it is
 * used and nothing outside of the image is ever touched.  What our writer never makes (compression,
 * shared attributes, extra devices, other block sizes) is refused by name.
 */
#ifndef FMT_EROFS_READ_H
#define FMT_EROFS_READ_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct erofs_image {
	const uint8_t *p;
	uint64_t len;	/* whole blocks, as the superblock says */
	uint64_t meta;	/* byte offset of inode number 0 */
	uint64_t slots; /* inode numbers are below this */
	uint64_t root;	/* the root's inode number */
	uint8_t uuid[16];
};

struct erofs_inode {
	uint64_t nid, size;
	int64_t mtime;
	uint32_t mode, uid, gid, nlink, mtime_nsec;
	uint32_t major, minor;
	uint64_t block;	   /* first whole block, when there is one */
	uint32_t tail_len; /* bytes of the last block that are inline */
	const uint8_t *tail;
	uint32_t nchunks; /* not 0: chunks, 4-byte little-endian block numbers */
	const uint8_t *chunks;
	uint8_t chunk_bits;
	const uint8_t *xattrs; /* the attributes behind their header */
	uint32_t xattr_bytes;
};

/* p, len: the whole file, which must outlive the image.  Errors: ERR_CORRUPT, ERR_UNSUPPORTED. */
int erofs_read_open(const uint8_t *p, uint64_t len, struct erofs_image *out, struct err *e);

/* Errors: ERR_CORRUPT, also when the data lies outside of the image. */
int erofs_read_inode(const struct erofs_image *img, uint64_t nid, struct erofs_inode *out,
		     struct err *e);

/* Call fn for every entry but "." and "..", in order, until it returns < 0; that is returned. Names
 * are 1 to 255 bytes without '/' and NUL, ascending, not NUL-terminated. */
int erofs_read_dir(const struct erofs_image *img, const struct erofs_inode *dir,
		   int (*fn)(void *arg, const char *name, size_t len, uint64_t nid, struct err *e),
		   void *arg, struct err *e);

/* Call fn for every attribute with its full name. */
int erofs_read_xattrs(const struct erofs_inode *in,
		      int (*fn)(void *arg, const char *name, const void *value, size_t len,
				struct err *e),
		      void *arg, struct err *e);

/* Target of a symbolic link, in->size bytes, not NUL-terminated; or NULL with *e. */
const char *erofs_read_link(const struct erofs_image *img, const struct erofs_inode *in,
			    struct err *e);

#endif

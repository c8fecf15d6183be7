/* SPDX-License-Identifier: Apache-2.0 */
/* content - the bytes of files in a merged tree, straight from the layers' images in memory. */
#ifndef REVIEW_CONTENT_H
#define REVIEW_CONTENT_H

#include <stddef.h>
#include <stdint.h>

struct tree_inode;

struct content_layer {
	const uint8_t *p;
	uint64_t len;
	uint64_t base; /* its first block, counted from the first layer's */
};

struct content {
	const struct content_layer *layers;
	size_t n;
	uint8_t *scratch; /* grows; freed by content_done() */
	size_t room;
};

/* The first bytes of a regular file, at most max: valid until the next call.  *len: how many.
 * Never NULL. */
const uint8_t *content_head(struct content *c, const struct tree_inode *in, size_t max,
			    size_t *len);
/* Bytes from an offset on into buf; off and len lie within the file.  Holes are zeros. */
void content_read(const struct content *c, const struct tree_inode *in, uint64_t off, uint8_t *buf,
		  size_t len);
void content_done(struct content *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "review/content.h"
#include "fmt/erofs.h"
#include "unpack/tree.h"

#include <stdlib.h>
#include <string.h>

/* The bytes from a block on, as far as its layer goes; NULL when it lies outside (erofs_read has
 * looked before, so this is our own mistake or a file that changed under us). */
static const uint8_t *at(const struct content *c, uint32_t layer, uint64_t block, uint64_t want)
{
	const struct content_layer *l = layer < c->n ? &c->layers[layer] : NULL;
	uint64_t off;

	if (!l || block < l->base || block - l->base > l->len / EROFS_BLOCK)
		return NULL;
	off = (block - l->base) * EROFS_BLOCK;
	return want <= l->len - off ? l->p + off : NULL;
}

static void copy_chunks(const struct content *c, const struct tree_inode *in, size_t len)
{
	const struct tree_data *d = &in->data;
	size_t size = (size_t)EROFS_BLOCK << d->chunk_bits;

	for (size_t i = 0, off = 0; off < len && i < d->nchunks; i++, off += size) {
		size_t n = len - off < size ? len - off : size;
		const uint8_t *p = d->chunks[i] == EROFS_HOLE
				       ? NULL
				       : at(c, in->layer, d->block + d->chunks[i], n);

		if (p)
			memcpy(c->scratch + off, p, n);
	}
}

static void copy_tail(const struct content *c, const struct tree_inode *in, size_t len)
{
	const struct tree_data *d = &in->data;
	uint64_t whole = in->size - d->tail_len;
	size_t n = len < whole ? len : (size_t)whole;
	const uint8_t *p = n ? at(c, in->layer, d->block, n) : NULL;

	if (p)
		memcpy(c->scratch, p, n);
	if (len > n)
		memcpy(c->scratch + n, d->tail, len - n);
}

const uint8_t *content_head(struct content *c, const struct tree_inode *in, size_t max, size_t *len)
{
	const uint8_t *p;

	*len = in->size < max ? (size_t)in->size : max;
	if (!*len)
		return (const uint8_t *)"";
	if (!in->data.nchunks && (!in->data.tail_len || *len <= in->size - in->data.tail_len)) {
		p = at(c, in->layer, in->data.block, *len);
		if (p)
			return p;
	} else if (!in->data.nchunks && in->size == in->data.tail_len) {
		return in->data.tail;
	}
	if (c->room < *len) {
		free(c->scratch);
		c->scratch = malloc(*len);
		if (!c->scratch)
			abort();
		c->room = *len;
	}
	memset(c->scratch, 0, *len);
	if (in->data.nchunks)
		copy_chunks(c, in, *len);
	else
		copy_tail(c, in, *len);
	return c->scratch;
}

/* One block, or what the file has of it. */
static const uint8_t *block_at(const struct content *c, const struct tree_inode *in, uint64_t n,
			       size_t len)
{
	const struct tree_data *d = &in->data;
	uint64_t chunk = n >> d->chunk_bits, whole = in->size - d->tail_len;

	if (!d->nchunks)
		return d->tail_len && n >= whole / EROFS_BLOCK
			   ? d->tail
			   : at(c, in->layer, d->block + n, len);
	if (chunk >= d->nchunks || d->chunks[chunk] == EROFS_HOLE)
		return NULL;
	return at(c, in->layer,
		  d->block + d->chunks[chunk] + (n & ((UINT64_C(1) << d->chunk_bits) - 1)), len);
}

void content_read(const struct content *c, const struct tree_inode *in, uint64_t off, uint8_t *buf,
		  size_t len)
{
	while (len) {
		size_t skip = off % EROFS_BLOCK;
		size_t n = EROFS_BLOCK - skip < len ? EROFS_BLOCK - skip : len;
		const uint8_t *p = block_at(c, in, off / EROFS_BLOCK, skip + n);

		if (p)
			memcpy(buf, p + skip, n);
		else
			memset(buf, 0, n);
		buf += n;
		off += n;
		len -= n;
	}
}

void content_done(struct content *c)
{
	free(c->scratch);
}

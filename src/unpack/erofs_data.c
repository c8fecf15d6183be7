/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/erofs_data.h"
#include "base/err.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"
#include "fmt/tarpax.h"
#include "unpack/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUF_SIZE    (256 << 10)
#define DIRECT_SIZE (64 << 10) /* pieces from here on are written from where they are */
/* Writeback is started this often, so that the final sync finds little left to do. */
#define FLUSH_EVERY (UINT64_C(16) << 20)
/* Larger files end in a block of their own: half a block is nothing to them, and their tails would
 * fill memory here and metadata there. */
#define TAIL_FILE_MAX (64 << 10)
/* Holes worth an array of chunks; smaller ones are written as zeros, which Linux before 5.15 reads.
 */
#define HOLE_MIN   (1 << 20)
#define CHUNKS_MAX 65536

struct erofs_data {
	int fd;
	struct tree *t;
	uint8_t *buf;
	size_t used;
	uint64_t written;      /* bytes of the file before buf */
	uint64_t flushed;      /* writeback was started up to here */
	uint64_t tail_bytes;   /* kept in memory so far */
	struct tree_inode *in; /* the file that has begun */
	uint64_t at;	       /* its next byte */
	uint8_t *tail;
	uint64_t tail_at; /* its size when there is no tail */
};

int erofs_data_new(int fd, struct tree *t, struct erofs_data **out, struct err *e)
{
	struct erofs_data *d;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "output");
	if (!S_ISREG(st.st_mode) || st.st_size)
		return err_set(e, ERR_USAGE, "the output is not an empty regular file");
	d = calloc(1, sizeof(*d));
	if (!d || !(d->buf = malloc(BUF_SIZE)))
		abort();
	d->fd = fd;
	d->t = t;
	d->written = d->flushed = EROFS_BLOCK; /* block 0 comes last */
	*out = d;
	return 0;
}

void erofs_data_free(struct erofs_data *d)
{
	if (d)
		free(d->buf);
	free(d);
}

static int write_at(int fd, struct iovec *v, int n, uint64_t off, struct err *e)
{
	while (n) {
		ssize_t w = pwritev(fd, v, n, (off_t)off);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_sys(e, "write the image");
		off += (uint64_t)w;
		while (n && (size_t)w >= v->iov_len) {
			w -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n) {
			v->iov_base = (char *)v->iov_base + w;
			v->iov_len -= (size_t)w;
		}
	}
	return 0;
}

/* Write the buffer and, behind it, p. */
static int flush(struct erofs_data *d, const void *p, size_t len, struct err *e)
{
	struct iovec v[2] = {
	    {d->buf, d->used},
	    {(void *)(uintptr_t)p, len},
	};
	int first = d->used ? 0 : 1, r;

	if (d->used + len == 0)
		return 0;
	r = write_at(d->fd, v + first, (len ? 2 : 1) - first, d->written, e);
	if (r < 0)
		return r;
	d->written += d->used + len;
	d->used = 0;
	if (d->written - d->flushed >= FLUSH_EVERY) {
		sync_file_range(d->fd, (off_t)d->flushed, (off_t)(d->written - d->flushed),
				SYNC_FILE_RANGE_WRITE);
		d->flushed = d->written;
	}
	return 0;
}

int erofs_data_append(struct erofs_data *d, const void *p, size_t len, struct err *e)
{
	int r;

	if (len >= DIRECT_SIZE)
		return flush(d, p, len, e);
	if (len > BUF_SIZE - d->used && (r = flush(d, NULL, 0, e)) < 0)
		return r;
	memcpy(d->buf + d->used, p, len);
	d->used += len;
	return 0;
}

/* Many zeros are left unwritten: the file is new, a hole in it reads as zeros. */
static int append_zeros(struct erofs_data *d, uint64_t len, struct err *e)
{
	static const uint8_t zeros[EROFS_BLOCK];
	int r;

	if (len <= sizeof(zeros))
		return erofs_data_append(d, zeros, (size_t)len, e);
	r = flush(d, NULL, 0, e);
	d->written += len;
	return r;
}

static uint64_t position(const struct erofs_data *d)
{
	return d->written + d->used;
}

int erofs_data_pad(struct erofs_data *d, struct err *e)
{
	return append_zeros(d, -position(d) & (EROFS_BLOCK - 1), e);
}

uint64_t erofs_data_block(const struct erofs_data *d)
{
	assert(position(d) % EROFS_BLOCK == 0);
	return position(d) / EROFS_BLOCK;
}

uint32_t erofs_data_xattr_bytes(const struct tree_inode *inode)
{
	uint32_t n = EROFS_XATTR_HEAD;
	const char *suffix = "";

	if (!inode->xattrs)
		return 0;
	for (const struct tree_xattr *x = inode->xattrs; x; x = x->next) {
		erofs_xattr_index(x->name, &suffix);
		n += (uint32_t)(sizeof(struct erofs_xattr) + strlen(suffix) + x->len + 3) & ~3u;
	}
	return n;
}

int erofs_data_tail_fits(uint64_t xattr_bytes, uint64_t tail)
{
	/* The kernel wants inode, attributes and a symbolic link's text in one block, and any tail
	 * not to cross one; as if every inode were extended, so that the answer does not change. */
	return sizeof(struct erofs_extended) + xattr_bytes + tail <= EROFS_BLOCK;
}

/* Chunks for a file with big holes: as small as the array's length allows. */
static bool wants_chunks(const struct tree_inode *in, const struct tarpax_run *runs, size_t nruns)
{
	uint64_t data = 0;

	for (size_t i = 0; i < nruns; i++)
		data += runs[i].len;
	return nruns && in->size - data >= HOLE_MIN;
}

static int begin_chunks(struct erofs_data *d, struct tree_inode *in, struct err *e)
{
	struct tree_data *t = &in->data;
	uint64_t n;

	while ((n = (in->size - 1) >> (EROFS_BLOCK_BITS + t->chunk_bits)) >= CHUNKS_MAX)
		t->chunk_bits++;
	t->nchunks = (uint32_t)n + 1;
	/* 1 KiB of tar can ask for 256 KiB of array: counted, or a thousand of them are a bomb. */
	if (tree_count(d->t, t->nchunks * sizeof(*t->chunks), e) < 0)
		return -EOVERFLOW;
	t->chunks = arena_array(&d->t->arena, t->nchunks, sizeof(*t->chunks));
	memset(t->chunks, 0xff, t->nchunks * sizeof(*t->chunks));
	d->tail_at = in->size;
	return 0;
}

static int data_begin(void *arg, struct tree_inode *in, const struct tarpax_run *runs, size_t nruns,
		      struct err *e)
{
	struct erofs_data *d = arg;
	uint64_t tail = in->size % EROFS_BLOCK;

	d->in = in;
	d->at = 0;
	d->tail = NULL;
	if (wants_chunks(in, runs, nruns))
		return begin_chunks(d, in, e);
	if (in->size > LIMIT_TAR_BYTES)
		return err_set(e, ERR_LIMIT, "a file of more than %llu bytes",
			       (unsigned long long)LIMIT_TAR_BYTES);
	in->data.block = erofs_data_block(d);
	if (tail && in->size <= TAIL_FILE_MAX && d->tail_bytes + tail <= LIMIT_TAIL_BYTES &&
	    erofs_data_tail_fits(erofs_data_xattr_bytes(in), tail)) {
		d->tail = arena_alloc(&d->t->arena, tail);
		d->tail_bytes += tail;
		in->data.tail = d->tail;
		in->data.tail_len = (uint32_t)tail;
	}
	d->tail_at = d->tail ? in->size - tail : in->size;
	return 0;
}

/* Close the chunk that ends at d->at or before it: fill it up, its last block included. */
static int chunk_fill(struct erofs_data *d, struct err *e)
{
	uint64_t size = (uint64_t)EROFS_BLOCK << d->in->data.chunk_bits;
	uint64_t stop = (d->at + size - 1) & ~(size - 1);
	int r;

	if (stop > d->in->size)
		stop = d->in->size;
	r = append_zeros(d, stop - d->at, e);
	d->at = stop;
	return r < 0 ? r : erofs_data_pad(d, e);
}

static int chunk_data(struct erofs_data *d, const uint8_t *p, size_t len, uint64_t off,
		      struct err *e)
{
	struct tree_data *t = &d->in->data;
	unsigned int bits = EROFS_BLOCK_BITS + t->chunk_bits;
	int r;

	while (len) {
		uint64_t chunk = off >> bits, room = ((chunk + 1) << bits) - off;
		size_t n = len < room ? len : (size_t)room;

		if (t->chunks[chunk] == EROFS_HOLE) {
			if ((r = chunk_fill(d, e)) < 0)
				return r;
			t->chunks[chunk] = (uint32_t)erofs_data_block(d);
			d->at = chunk << bits;
		}
		if ((r = append_zeros(d, off - d->at, e)) < 0 ||
		    (r = erofs_data_append(d, p, n, e)) < 0)
			return r;
		p += n;
		len -= n;
		off += n;
		d->at = off;
	}
	return 0;
}

/* n bytes of an ordinary file; p is NULL for zeros. */
static int flat_data(struct erofs_data *d, const uint8_t *p, uint64_t n, struct err *e)
{
	uint64_t whole = d->at < d->tail_at ? d->tail_at - d->at : 0;
	int r = 0;

	if (whole > n)
		whole = n;
	if (whole)
		r = p ? erofs_data_append(d, p, (size_t)whole, e) : append_zeros(d, whole, e);
	if (r >= 0 && n > whole && p)
		memcpy(d->tail + (d->at + whole - d->tail_at), p + whole, (size_t)(n - whole));
	d->at += n;
	return r;
}

static int data_data(void *arg, const void *p, size_t len, uint64_t off, struct err *e)
{
	struct erofs_data *d = arg;
	int r = 0;

	assert(off >= d->at || d->in->data.nchunks);
	if (position(d) / EROFS_BLOCK >= UINT32_MAX - LIMIT_ENTRIES)
		return err_set(e, ERR_LIMIT, "the image is full");
	if (d->in->data.nchunks)
		return chunk_data(d, p, len, off, e);
	if (off > d->at)
		r = flat_data(d, NULL, off - d->at, e);
	return r < 0 ? r : flat_data(d, p, len, e);
}

static int data_end(void *arg, struct err *e)
{
	struct erofs_data *d = arg;
	int r;

	if (d->in->data.nchunks)
		return chunk_fill(d, e);
	r = flat_data(d, NULL, d->in->size - d->at, e);
	return r < 0 ? r : erofs_data_pad(d, e);
}

void erofs_data_sink(struct erofs_data *d, struct sink *out)
{
	*out = (struct sink){data_begin, data_data, data_end, d};
}

int erofs_data_finish(struct erofs_data *d, const void *block0, struct err *e)
{
	struct iovec v = {(void *)(uintptr_t)block0, EROFS_BLOCK};
	int r = flush(d, NULL, 0, e);

	if (r < 0)
		return r;
	if (ftruncate(d->fd, (off_t)d->written) < 0)
		return err_sys(e, "write the image");
	/* One sync for all of it: the caller gives the file its name only after this has succeeded,
	 * and a crash before leaves a file without a name. */
	r = write_at(d->fd, &v, 1, 0, e);
	if (r < 0)
		return r;
	return fdatasync(d->fd) < 0 ? err_sys(e, "sync the image") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/erofs_read.h"
#include "base/err.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static int corrupt(struct err *e, uint64_t nid, const char *what)
{
	return err_set(e, ERR_CORRUPT, "damaged EROFS image: inode %llu: %s",
		       (unsigned long long)nid, what);
}

int erofs_read_open(const uint8_t *p, uint64_t len, struct erofs_image *out, struct err *e)
{
	struct erofs_super s;

	if (len < 2 * EROFS_BLOCK || len % EROFS_BLOCK || len / EROFS_BLOCK >= EROFS_HOLE)
		return err_set(e, ERR_CORRUPT, "not an EROFS image: %llu bytes",
			       (unsigned long long)len);
	memcpy(&s, p + EROFS_SUPER_AT, sizeof(s));
	if (le32toh(s.magic) != EROFS_MAGIC)
		return err_set(e, ERR_CORRUPT, "not an EROFS image");
	if (le32toh(s.checksum) != erofs_checksum(p))
		return err_set(e, ERR_CORRUPT, "damaged EROFS image: superblock checksum");
	if (s.block_bits != EROFS_BLOCK_BITS || s.ext_slots || s.extra_devices || s.dirblk_bits ||
	    le32toh(s.feature_incompat) & ~EROFS_INCOMPAT_CHUNKED)
		return err_set(e, ERR_UNSUPPORTED, "an EROFS image with features that layers lack");
	if (le32toh(s.blocks) != len / EROFS_BLOCK || le32toh(s.meta_blkaddr) >= len / EROFS_BLOCK)
		return err_set(e, ERR_CORRUPT, "damaged EROFS image: %llu blocks, %u expected",
			       (unsigned long long)(len / EROFS_BLOCK), le32toh(s.blocks));
	*out = (struct erofs_image){
	    .p = p,
	    .len = len,
	    .meta = (uint64_t)le32toh(s.meta_blkaddr) * EROFS_BLOCK,
	    .root = le16toh(s.root_nid),
	};
	out->slots = (len - out->meta) / EROFS_SLOT;
	memcpy(out->uuid, s.uuid, sizeof(out->uuid));
	return 0;
}

/* Fields that both forms have, and the rest of the extended one; returns the inode's own bytes or 0
 * when it does not fit into the image. */
static size_t decode(const struct erofs_image *img, uint64_t at, struct erofs_inode *in,
		     uint16_t *format, uint16_t *xattr_count, uint32_t *u)
{
	struct erofs_compact c;
	struct erofs_extended x;

	memcpy(&c, img->p + at, sizeof(c));
	*format = le16toh(c.format);
	*xattr_count = le16toh(c.xattr_count);
	in->mode = le16toh(c.mode);
	if (!(*format & 1)) {
		in->nlink = le16toh(c.nlink);
		in->size = le32toh(c.size);
		in->uid = le16toh(c.uid);
		in->gid = le16toh(c.gid);
		*u = le32toh(c.u);
		return sizeof(c);
	}
	if (img->len - at < sizeof(x))
		return 0;
	memcpy(&x, img->p + at, sizeof(x));
	in->nlink = le32toh(x.nlink);
	in->size = le64toh(x.size);
	in->uid = le32toh(x.uid);
	in->gid = le32toh(x.gid);
	in->mtime = (int64_t)le64toh(x.mtime);
	in->mtime_nsec = le32toh(x.mtime_nsec);
	*u = le32toh(x.u);
	return sizeof(x);
}

/* A flat file's whole blocks from u on, its tail at offset `at`. */
static int check_flat(const struct erofs_image *img, struct erofs_inode *in, uint64_t at,
		      uint32_t u, bool tail, struct err *e)
{
	uint64_t blocks = in->size / EROFS_BLOCK, rest = in->size % EROFS_BLOCK;

	if (in->size > img->len)
		return corrupt(e, in->nid, "size");
	if (tail && rest) {
		if (at % EROFS_BLOCK + rest > EROFS_BLOCK || rest > img->len - at)
			return corrupt(e, in->nid, "its tail crosses a block");
		in->tail = img->p + at;
		in->tail_len = (uint32_t)rest;
	} else {
		blocks += rest != 0;
	}
	if (blocks && (u == 0 || u > img->len / EROFS_BLOCK || blocks > img->len / EROFS_BLOCK - u))
		return corrupt(e, in->nid, "data outside of the image");
	in->block = blocks ? u : 0;
	return 0;
}

static int check_chunks(const struct erofs_image *img, struct erofs_inode *in, uint64_t at,
			uint32_t u, struct err *e)
{
	unsigned int bits = EROFS_BLOCK_BITS + u;
	uint64_t n, total = img->len / EROFS_BLOCK;

	if (u > 31 || !in->size || in->size > LIMIT_FILE_BYTES || !S_ISREG(in->mode))
		return corrupt(e, in->nid, "chunk format");
	n = ((in->size - 1) >> bits) + 1;
	if (at % 4 || n > (img->len - at) / 4)
		return corrupt(e, in->nid, "chunks outside of the image");
	in->nchunks = (uint32_t)n;
	in->chunks = img->p + at;
	in->chunk_bits = (uint8_t)u;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t bytes = i + 1 < n ? UINT64_C(1) << bits : in->size - (i << bits);
		uint64_t blocks = (bytes + EROFS_BLOCK - 1) / EROFS_BLOCK;
		uint32_t block;

		memcpy(&block, in->chunks + i * 4, 4);
		block = le32toh(block);
		if (block != EROFS_HOLE && (block == 0 || block > total || blocks > total - block))
			return corrupt(e, in->nid, "data outside of the image");
	}
	return 0;
}

static int check_data(const struct erofs_image *img, struct erofs_inode *in, uint64_t at,
		      uint16_t format, uint32_t u, struct err *e)
{
	unsigned int layout = format >> 1 & 7;

	switch (in->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		in->major = u >> 8 & 0xfff;
		in->minor = (u & 0xff) | (u >> 12 & 0xfff00);
		return 0;
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return corrupt(e, in->nid, "type");
	}
	if (layout == EROFS_CHUNKED)
		return check_chunks(img, in, at, u, e);
	if (layout != EROFS_FLAT_PLAIN && layout != EROFS_FLAT_INLINE)
		return err_set(e, ERR_UNSUPPORTED, "EROFS inode %llu: layout %u",
			       (unsigned long long)in->nid, layout);
	return check_flat(img, in, at, u, layout == EROFS_FLAT_INLINE, e);
}

int erofs_read_inode(const struct erofs_image *img, uint64_t nid, struct erofs_inode *out,
		     struct err *e)
{
	struct erofs_inode in = {.nid = nid};
	uint16_t format, xattr_count;
	uint64_t at;
	uint32_t u;
	size_t n;
	int r;

	if (nid >= img->slots)
		return corrupt(e, nid, "number outside of the image");
	at = img->meta + nid * EROFS_SLOT;
	n = decode(img, at, &in, &format, &xattr_count, &u);
	if (!n || format & ~0xf)
		return corrupt(e, nid, "format");
	at += n;
	if (xattr_count) {
		uint32_t bytes = EROFS_XATTR_HEAD + 4u * (xattr_count - 1u);

		if (bytes > img->len - at)
			return corrupt(e, nid, "attributes outside of the image");
		if (img->p[at + 4])
			return err_set(e, ERR_UNSUPPORTED, "EROFS inode %llu: shared attributes",
				       (unsigned long long)nid);
		in.xattrs = img->p + at + EROFS_XATTR_HEAD;
		in.xattr_bytes = bytes - EROFS_XATTR_HEAD;
		at += bytes;
	}
	r = check_data(img, &in, at, format, u, e);
	if (r >= 0)
		*out = in;
	return r;
}

struct last_name {
	char name[LIMIT_NAME];
	size_t len;
};

static int check_name(struct last_name *last, const char *name, size_t len)
{
	int r = memcmp(last->name, name, len < last->len ? len : last->len);

	if (len == 0 || len > LIMIT_NAME || memchr(name, '/', len))
		return -1;
	if (last->len && (r > 0 || (r == 0 && last->len >= len)))
		return -1;
	memcpy(last->name, name, len);
	last->len = len;
	return 0;
}

/* One directory block of `size` used bytes. */
static int read_block(const uint8_t *p, size_t size, struct last_name *last, uint64_t dir_nid,
		      int (*fn)(void *arg, const char *name, size_t len, uint64_t nid,
				struct err *e),
		      void *arg, struct err *e)
{
	struct erofs_dirent de;
	size_t n, i;
	int r;

	if (size < sizeof(de))
		return corrupt(e, dir_nid, "directory block");
	memcpy(&de, p, sizeof(de));
	n = le16toh(de.nameoff);
	if (n == 0 || n % sizeof(de) || n > size)
		return corrupt(e, dir_nid, "directory block");
	n /= sizeof(de);
	for (i = 0; i < n; i++) {
		size_t off, end = size, len;
		struct erofs_dirent next;
		const char *name;

		memcpy(&de, p + i * sizeof(de), sizeof(de));
		off = le16toh(de.nameoff);
		if (i + 1 < n) {
			memcpy(&next, p + (i + 1) * sizeof(de), sizeof(de));
			end = le16toh(next.nameoff);
		}
		if (off < n * sizeof(de) || off > end || end > size)
			return corrupt(e, dir_nid, "directory entry");
		name = (const char *)p + off;
		len = strnlen(name, end - off);
		if (check_name(last, name, len) < 0)
			return corrupt(e, dir_nid, "name in a directory");
		if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
			continue;
		r = fn(arg, name, len, le64toh(de.nid), e);
		if (r < 0)
			return r;
	}
	return 0;
}

int erofs_read_dir(const struct erofs_image *img, const struct erofs_inode *dir,
		   int (*fn)(void *arg, const char *name, size_t len, uint64_t nid, struct err *e),
		   void *arg, struct err *e)
{
	struct last_name last = {.len = 0};
	uint64_t whole = (dir->size - dir->tail_len + EROFS_BLOCK - 1) / EROFS_BLOCK;
	int r = 0;

	if (!S_ISDIR(dir->mode) || dir->nchunks)
		return corrupt(e, dir->nid, "not a directory");
	for (uint64_t i = 0; r >= 0 && i < whole; i++) {
		uint64_t left = dir->size - i * EROFS_BLOCK;

		r = read_block(img->p + (dir->block + i) * EROFS_BLOCK,
			       left < EROFS_BLOCK ? (size_t)left : EROFS_BLOCK, &last, dir->nid, fn,
			       arg, e);
	}
	if (r >= 0 && dir->tail_len)
		r = read_block(dir->tail, dir->tail_len, &last, dir->nid, fn, arg, e);
	return r;
}

int erofs_read_xattrs(const struct erofs_inode *in,
		      int (*fn)(void *arg, const char *name, const void *value, size_t len,
				struct err *e),
		      void *arg, struct err *e)
{
	const uint8_t *p = in->xattrs, *end;
	char name[LIMIT_XATTR_NAME + 32];
	int r = 0;

	if (!p)
		return 0;
	end = p + in->xattr_bytes;
	while (r >= 0 && p < end) {
		struct erofs_xattr x;
		const char *prefix;
		size_t plen, vlen;

		if ((size_t)(end - p) < sizeof(x))
			return corrupt(e, in->nid, "attribute");
		memcpy(&x, p, sizeof(x));
		p += sizeof(x);
		vlen = le16toh(x.value_len);
		prefix = erofs_xattr_prefix(x.index);
		plen = prefix ? strlen(prefix) : 0;
		if (!prefix || (size_t)(end - p) < x.name_len + vlen || memchr(p, '\0', x.name_len))
			return corrupt(e, in->nid, "attribute");
		memcpy(name, prefix, plen);
		memcpy(name + plen, p, x.name_len);
		name[plen + x.name_len] = '\0';
		/* "user." alone is no name; whoever writes it again would find no place for it. */
		if (erofs_xattr_index(name, &prefix) != x.index)
			return corrupt(e, in->nid, "attribute");
		r = fn(arg, name, p + x.name_len, vlen, e);
		vlen = (x.name_len + vlen + 3) & ~(size_t)3;
		p += vlen < (size_t)(end - p) ? vlen : (size_t)(end - p);
	}
	return r;
}

const char *erofs_read_link(const struct erofs_image *img, const struct erofs_inode *in,
			    struct err *e)
{
	const uint8_t *p = in->tail_len ? in->tail : img->p + in->block * EROFS_BLOCK;

	if (!S_ISLNK(in->mode) || in->size == 0 || in->size > LIMIT_LINK || in->nchunks ||
	    memchr(p, '\0', in->size)) {
		corrupt(e, in->nid, "symbolic link");
		return NULL;
	}
	return (const char *)p;
}

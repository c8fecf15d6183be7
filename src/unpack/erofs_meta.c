/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation.  Three passes over the same order (a directory, then all its children's
 * inodes, then the children's children):
 *   1. plan: every inode gets a number, its form and layout and the bytes it takes;
 *   2. place: it gets a slot in the metadata area, which makes its nid;
 *   3. emit: directories can now name nids; their whole blocks are written in this order, then
 *      block after block of the metadata area what was placed there.  So no more than one block (or
 *      one inode, when it is larger) is in memory at a time.
 * Invariants: an inode whose tail is inline lies in one block with it; larger ones (many
 * attributes, chunk arrays) begin a block of their own; slot 0 is never used, because inode number
 * 0 means "deleted" to old readers of directories; the root is placed first, so that its nid fits
 * 16 bits.
 */
#include "unpack/erofs_meta.h"
#include "base/arena.h"
#include "base/err.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"
#include "unpack/erofs_data.h"
#include "unpack/spill.h"
#include "unpack/tree.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct plan {
	struct tree_inode *in;
	struct tree_node *dir;	   /* of a directory */
	struct tree_node **sorted; /* its children */
	uint64_t nid, size;	   /* size: what the inode says */
	uint64_t block; /* of directories and long links: first block of their own data */
	uint32_t xattr_bytes, inline_bytes, bytes;
	uint32_t next; /* number of the next one that begins in the same block, 0 for none */
	uint8_t layout;
	bool compact;
};

struct meta {
	struct tree *t;
	struct erofs_data *d;
	const struct erofs_meta_opts *opts;
	struct plan *plans; /* room for every name */
	size_t n;
	uint64_t side_blocks; /* directory and link blocks so far */
	/* Placing: `room[f]` heads a list, through `next`, of blocks with f free slots at their
	 * end. */
	struct meta_block {
		uint32_t next;
		uint32_t first, last; /* numbers of the plans that begin here, in order of slots */
	} * v;
	uint64_t blocks, cap_blocks;
	uint32_t room[EROFS_BLOCK_SLOTS + 1];
	uint64_t meta_block;
	uint8_t *buf; /* blocks being filled */
	uint64_t buf_blocks;
};

/* How many inodes are gone through between two spill_cool(). */
#define COOL_EVERY 8192

static void cool(struct meta *m, size_t i)
{
	if (i % COOL_EVERY == 0)
		spill_cool(m->t->spill);
}

#define NO_BLOCK UINT32_MAX

static struct plan *plan_new(struct meta *m, struct tree_inode *in)
{
	struct plan *p = &m->plans[m->n++];

	assert(m->n <= m->t->nodes + 1);
	cool(m, m->n);
	*p = (struct plan){.in = in};
	in->plan = (uint32_t)m->n; /* 0 means none */
	return p;
}

static struct plan *plan_of(struct meta *m, const struct tree_inode *in)
{
	return &m->plans[in->plan - 1];
}

/* The directory's entries in order: its children with "." and ".." where they belong ('!' sorts
 * before '.').  Position i of nchildren + 2; *name and *len, returns the child or NULL for dots. */
struct cursor {
	const struct plan *p;
	size_t next_child;
	int dots; /* how many of the two have been given out */
};

static bool cursor_next(struct cursor *c, const char **name, size_t *len,
			const struct tree_node **child)
{
	static const char dots[] = "..";
	const struct tree_node *n =
	    c->next_child < c->p->dir->nchildren ? c->p->sorted[c->next_child] : NULL;
	size_t dlen = (size_t)c->dots + 1;

	if (!n && c->dots == 2)
		return false;
	if (c->dots < 2) {
		int r = n ? memcmp(dots, n->name, dlen < n->len ? dlen : n->len) : -1;

		if (r < 0 || (r == 0 && dlen < n->len)) {
			*name = dots;
			*len = dlen;
			*child = NULL;
			c->dots++;
			return true;
		}
	}
	*name = n->name;
	*len = n->len;
	*child = n;
	c->next_child++;
	return true;
}

/* How many bytes the directory takes: whole blocks and what the last one uses. */
static uint64_t dir_size(const struct plan *p)
{
	struct cursor c = {.p = p};
	const struct tree_node *child;
	uint64_t full = 0;
	const char *name;
	size_t used = 0, len;

	while (cursor_next(&c, &name, &len, &child)) {
		size_t need = sizeof(struct erofs_dirent) + len;

		if (used + need > EROFS_BLOCK) {
			full += EROFS_BLOCK;
			used = 0;
		}
		used += need;
	}
	return full + used;
}

/* Data of our own (a directory's or a long link's): inline as far as it fits, else whole blocks. */
static void plan_own_data(struct meta *m, struct plan *p)
{
	uint32_t tail = (uint32_t)(p->size % EROFS_BLOCK);
	bool fits = tail && erofs_data_tail_fits(p->xattr_bytes, tail);

	p->layout = fits ? EROFS_FLAT_INLINE : EROFS_FLAT_PLAIN;
	p->inline_bytes = fits ? tail : 0;
	p->block = m->side_blocks;
	m->side_blocks += p->size / EROFS_BLOCK + (tail && !fits);
}

static void plan_file(struct plan *p)
{
	const struct tree_data *data = &p->in->data;

	p->size = p->in->size;
	if (data->nchunks) {
		p->layout = EROFS_CHUNKED;
		p->inline_bytes = data->nchunks * 4;
	} else if (data->tail_len) {
		p->layout = EROFS_FLAT_INLINE;
		p->inline_bytes = data->tail_len;
	}
}

static int plan_inode(struct meta *m, struct tree_inode *in, struct tree_node *dir, struct err *e)
{
	struct plan *p = plan_new(m, in);
	size_t subdirs = 0;

	if (dir && dir->opaque && m->opts->opaque_xattr) {
		int r = tree_xattr_set(m->t, in, m->opts->opaque_xattr, "y", 1, e);

		if (r < 0)
			return r;
	}
	p->xattr_bytes = erofs_data_xattr_bytes(in);
	if (S_ISDIR(in->mode)) {
		p->dir = dir;
		p->sorted = tree_sorted(m->t, dir);
		for (size_t i = 0; i < dir->nchildren; i++)
			subdirs += S_ISDIR(p->sorted[i]->inode->mode);
		in->nlink = (uint32_t)(2 + subdirs);
		p->size = dir_size(p);
		plan_own_data(m, p);
	} else if (S_ISLNK(in->mode)) {
		p->size = in->size;
		plan_own_data(m, p);
	} else if (S_ISREG(in->mode)) {
		plan_file(p);
	}
	p->compact = in->mtime == 0 && in->mtime_nsec == 0 && in->uid <= UINT16_MAX &&
		     in->gid <= UINT16_MAX && in->nlink <= UINT16_MAX && p->size <= UINT32_MAX;
	p->bytes = (p->compact ? sizeof(struct erofs_compact) : sizeof(struct erofs_extended)) +
		   p->xattr_bytes + p->inline_bytes;
	return 0;
}

/* Plans grow while we go through them: index i is the directory whose children come next. */
static int plan_all(struct meta *m, struct err *e)
{
	int r = plan_inode(m, m->t->root.inode, &m->t->root, e);

	for (size_t i = 0; r >= 0 && i < m->n; i++) {
		struct tree_node **sorted = m->plans[i].sorted;
		size_t n = m->plans[i].dir ? m->plans[i].dir->nchildren : 0;

		for (size_t k = 0; r >= 0 && k < n; k++)
			if (!sorted[k]->inode->plan)
				r = plan_inode(m, sorted[k]->inode, sorted[k], e);
	}
	return r;
}

static uint32_t block_new(struct meta *m, uint64_t count)
{
	uint64_t first = m->blocks;

	m->blocks += count;
	if (m->blocks > m->cap_blocks) {
		m->cap_blocks = m->blocks * 2;
		m->v = reallocarray(m->v, m->cap_blocks, sizeof(*m->v));
		if (!m->v)
			abort();
	}
	memset(m->v + first, 0, count * sizeof(*m->v));
	return (uint32_t)first;
}

static void room_add(struct meta *m, uint32_t block, unsigned int slots)
{
	if (!slots)
		return;
	m->v[block].next = m->room[slots];
	m->room[slots] = block;
}

/* Best fit: the fullest block that still has room.  Returns the first slot. */
static uint64_t place(struct meta *m, uint32_t bytes)
{
	uint32_t slots = (bytes + EROFS_SLOT - 1) / EROFS_SLOT;
	uint64_t count = (slots + EROFS_BLOCK_SLOTS - 1) / EROFS_BLOCK_SLOTS;
	uint32_t block, last;

	if (slots <= EROFS_BLOCK_SLOTS) {
		for (uint32_t f = slots; f <= EROFS_BLOCK_SLOTS; f++) {
			block = m->room[f];
			if (block == NO_BLOCK)
				continue;
			m->room[f] = m->v[block].next;
			room_add(m, block, f - slots);
			return (uint64_t)block * EROFS_BLOCK_SLOTS + EROFS_BLOCK_SLOTS - f;
		}
	}
	block = block_new(m, count);
	last = block + (uint32_t)count - 1;
	room_add(m, last, (uint32_t)(count * EROFS_BLOCK_SLOTS - slots));
	return (uint64_t)block * EROFS_BLOCK_SLOTS;
}

static void place_all(struct meta *m)
{
	for (size_t f = 0; f <= EROFS_BLOCK_SLOTS; f++)
		m->room[f] = NO_BLOCK;
	room_add(m, block_new(m, 1), EROFS_BLOCK_SLOTS - 1); /* slot 0 stays empty */
	for (size_t i = 0; i < m->n; i++) {
		struct plan *p = &m->plans[i];
		struct meta_block *b;

		cool(m, i);
		p->nid = place(m, p->bytes);
		/* A block fills from its start: who comes later lies behind. */
		b = &m->v[p->nid / EROFS_BLOCK_SLOTS];
		if (b->first)
			m->plans[b->last - 1].next = (uint32_t)i + 1;
		else
			b->first = (uint32_t)i + 1;
		b->last = (uint32_t)i + 1;
	}
}

/* One directory block: n entries, the names behind them. */
static void dir_block(struct meta *m, const struct plan *p, struct cursor c, size_t n, uint8_t *out)
{
	uint8_t *names = out + n * sizeof(struct erofs_dirent);

	for (size_t i = 0; i < n; i++) {
		const struct tree_node *child;
		const struct tree_inode *in;
		struct erofs_dirent de = {0};
		const char *name;
		size_t len;

		cursor_next(&c, &name, &len, &child);
		in = child ? child->inode : len == 1 ? p->in : p->dir->parent->inode;
		de.nid = htole64(plan_of(m, in)->nid);
		de.nameoff = htole16((uint16_t)(names - out));
		de.type = (uint8_t)erofs_type(in->mode);
		memcpy(out + i * sizeof(de), &de, sizeof(de));
		memcpy(names, name, len);
		names += len;
	}
}

/* Write the directory's whole blocks, or, with tail, only copy there what stays inline. */
static int emit_dir(struct meta *m, const struct plan *p, uint8_t *tail, struct err *e)
{
	struct cursor c = {.p = p}, start = c;
	uint64_t left = p->size;
	bool more = true;
	int r = 0;

	while (more && r >= 0) {
		uint8_t block[EROFS_BLOCK] = {0};
		const struct tree_node *child;
		size_t used = 0, n = 0, len;
		struct cursor before = c;
		const char *name;

		start = c;
		while ((more = cursor_next(&c, &name, &len, &child))) {
			if (used + sizeof(struct erofs_dirent) + len > EROFS_BLOCK)
				break;
			used += sizeof(struct erofs_dirent) + len;
			n++;
			before = c;
		}
		c = before;
		if ((left < EROFS_BLOCK && p->inline_bytes) != (tail != NULL)) {
			left -= left < EROFS_BLOCK ? left : EROFS_BLOCK;
			continue;
		}
		dir_block(m, p, start, n, block);
		if (tail)
			memcpy(tail, block, p->inline_bytes);
		else
			r = erofs_data_append(m->d, block, sizeof(block), e);
		left -= left < EROFS_BLOCK ? left : EROFS_BLOCK;
	}
	return r;
}

/* The text of a link that is too long for its inode. */
static int emit_link(struct meta *m, const struct plan *p, struct err *e)
{
	int r;

	r = erofs_data_append(m->d, p->in->link, p->size, e);
	return r < 0 ? r : erofs_data_pad(m->d, e);
}

static void emit_xattrs(const struct tree_inode *in, uint8_t *out)
{
	out += EROFS_XATTR_HEAD; /* no shared ones, no filter: zeros */
	for (const struct tree_xattr *x = in->xattrs; x; x = x->next) {
		const char *suffix = "";
		struct erofs_xattr head = {0};
		size_t len;

		head.index = (uint8_t)erofs_xattr_index(x->name, &suffix);
		len = strlen(suffix);
		head.name_len = (uint8_t)len;
		head.value_len = htole16((uint16_t)x->len);
		memcpy(out, &head, sizeof(head));
		memcpy(out + sizeof(head), suffix, len);
		memcpy(out + sizeof(head) + len, x->value, x->len);
		out += (sizeof(head) + len + x->len + 3) & ~(size_t)3;
	}
}

/* The inode's union: where its data begins, or its device number, or its chunk size. */
static uint32_t inode_u(const struct meta *m, const struct plan *p)
{
	const struct tree_inode *in = p->in;
	uint64_t shift = m->opts->foreign_data ? m->meta_block + m->blocks : 0;

	if (S_ISCHR(in->mode) || S_ISBLK(in->mode))
		return erofs_rdev(in->major, in->minor);
	if (p->layout == EROFS_CHUNKED)
		return in->data.chunk_bits;
	if (S_ISREG(in->mode))
		return p->size > p->inline_bytes ? (uint32_t)(in->data.block + shift) : 0;
	return p->size > p->inline_bytes ? (uint32_t)(m->meta_block - m->side_blocks + p->block)
					 : 0;
}

static size_t emit_inode(const struct meta *m, const struct plan *p, uint32_t ino, uint8_t *out)
{
	const struct tree_inode *in = p->in;
	uint16_t format = (uint16_t)(p->layout << 1 | !p->compact);
	uint16_t xattrs =
	    p->xattr_bytes ? (uint16_t)(1 + (p->xattr_bytes - EROFS_XATTR_HEAD) / 4) : 0;

	if (p->compact) {
		struct erofs_compact c = {
		    .format = htole16(format),
		    .xattr_count = htole16(xattrs),
		    .mode = htole16((uint16_t)in->mode),
		    .nlink = htole16((uint16_t)in->nlink),
		    .size = htole32((uint32_t)p->size),
		    .u = htole32(inode_u(m, p)),
		    .ino = htole32(ino),
		    .uid = htole16((uint16_t)in->uid),
		    .gid = htole16((uint16_t)in->gid),
		};

		memcpy(out, &c, sizeof(c));
		return sizeof(c);
	}
	struct erofs_extended x = {
	    .format = htole16(format),
	    .xattr_count = htole16(xattrs),
	    .mode = htole16((uint16_t)in->mode),
	    .size = htole64(p->size),
	    .u = htole32(inode_u(m, p)),
	    .ino = htole32(ino),
	    .uid = htole32(in->uid),
	    .gid = htole32(in->gid),
	    .mtime = htole64((uint64_t)in->mtime),
	    .mtime_nsec = htole32(in->mtime_nsec),
	    .nlink = htole32(in->nlink),
	};

	memcpy(out, &x, sizeof(x));
	return sizeof(x);
}

static void emit_file(const struct meta *m, const struct plan *p, uint8_t *tail)
{
	const struct tree_data *data = &p->in->data;
	uint64_t shift = data->block + (m->opts->foreign_data ? m->meta_block + m->blocks : 0);

	if (!data->nchunks) {
		memcpy(tail, data->tail, p->inline_bytes);
		return;
	}
	for (uint32_t i = 0; i < data->nchunks; i++) {
		uint32_t at = data->chunks[i];

		at = htole32(at == EROFS_HOLE ? at : (uint32_t)(at + shift));
		memcpy(tail + i * 4, &at, 4);
	}
}

/* Blocks of directories and long links, in the order in which plan_own_data() counted them. */
static int emit_side(struct meta *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->n; i++) {
		const struct plan *p = &m->plans[i];

		cool(m, i);
		if (p->size == p->inline_bytes)
			continue;
		if (p->dir)
			r = emit_dir(m, p, NULL, e);
		else if (S_ISLNK(p->in->mode))
			r = emit_link(m, p, e);
	}
	return r;
}

/* An inode with all that stands behind it. */
static int emit_plan(struct meta *m, size_t i, uint8_t *out, struct err *e)
{
	const struct plan *p = &m->plans[i];

	out += emit_inode(m, p, (uint32_t)i + 1, out);
	if (p->xattr_bytes)
		emit_xattrs(p->in, out);
	out += p->xattr_bytes;
	if (!p->inline_bytes)
		return 0;
	if (p->dir)
		return emit_dir(m, p, out, e);
	if (S_ISLNK(p->in->mode))
		memcpy(out, p->in->link, p->inline_bytes);
	else
		emit_file(m, p, out);
	return 0;
}

/* Room in buf for the block at its start and what the inode there takes beyond it. */
static uint64_t span(struct meta *m, uint64_t block)
{
	uint32_t first = m->v[block].first;
	uint64_t bytes = first ? m->plans[first - 1].bytes : 0;
	uint64_t n = bytes > EROFS_BLOCK ? (bytes + EROFS_BLOCK - 1) / EROFS_BLOCK : 1;

	if (n > m->buf_blocks) {
		m->buf = realloc(m->buf, n * EROFS_BLOCK);
		if (!m->buf)
			abort();
		m->buf_blocks = n;
	}
	memset(m->buf + EROFS_BLOCK, 0, (n - 1) * EROFS_BLOCK);
	return n;
}

static int emit_block(struct meta *m, uint64_t b, struct err *e)
{
	int r = 0;

	for (uint32_t i = m->v[b].first; r >= 0 && i; i = m->plans[i - 1].next) {
		uint64_t slot = m->plans[i - 1].nid % EROFS_BLOCK_SLOTS;

		r = emit_plan(m, i - 1, m->buf + slot * EROFS_SLOT, e);
	}
	return r;
}

/* The metadata area.  buf begins with block b; behind a large inode, whose last block may hold
 * others too, that last block moves to the front. */
static int emit_area(struct meta *m, struct err *e)
{
	int r = 0;

	span(m, 0);
	memset(m->buf, 0, EROFS_BLOCK);
	for (uint64_t b = 0; r >= 0 && b < m->blocks;) {
		uint64_t n = span(m, b), whole = n > 1 ? n - 1 : 1;

		cool(m, b * 64);
		r = emit_block(m, b, e);
		if (r >= 0)
			r = erofs_data_append(m->d, m->buf, whole * EROFS_BLOCK, e);
		if (n > 1)
			memcpy(m->buf, m->buf + whole * EROFS_BLOCK, EROFS_BLOCK);
		else
			memset(m->buf, 0, EROFS_BLOCK);
		b += whole;
	}
	return r;
}

static void super(const struct meta *m, uint8_t *block0)
{
	struct erofs_super s = {
	    .magic = htole32(EROFS_MAGIC),
	    .feature_compat = htole32(EROFS_COMPAT_SB_CHKSUM | EROFS_COMPAT_MTIME),
	    .block_bits = EROFS_BLOCK_BITS,
	    .root_nid = htole16((uint16_t)m->plans[0].nid),
	    .inos = htole64(m->n),
	    .blocks = htole32((uint32_t)(m->meta_block + m->blocks + m->opts->foreign_blocks)),
	    .meta_blkaddr = htole32((uint32_t)m->meta_block),
	};

	for (size_t i = 0; i < m->n; i++)
		if (m->plans[i].layout == EROFS_CHUNKED)
			s.feature_incompat = htole32(EROFS_INCOMPAT_CHUNKED);
	memcpy(s.uuid, m->opts->uuid, sizeof(s.uuid));
	memset(block0, 0, EROFS_BLOCK);
	memcpy(block0 + EROFS_SUPER_AT, &s, sizeof(s));
	s.checksum = htole32(erofs_checksum(block0));
	memcpy(block0 + EROFS_SUPER_AT, &s, sizeof(s));
}

static int write_all(struct meta *m, uint64_t *size, struct err *e)
{
	uint8_t block0[EROFS_BLOCK];
	uint64_t total;
	int r;

	m->plans = arena_array(&m->t->arena, m->t->nodes + 1, sizeof(*m->plans));
	r = plan_all(m, e);
	if (r < 0)
		return r;
	place_all(m);
	m->meta_block = erofs_data_block(m->d) + m->side_blocks;
	total = m->meta_block + m->blocks;
	if (total + m->opts->foreign_blocks >= EROFS_HOLE)
		return err_set(e, ERR_LIMIT, "more than %u blocks in one image", EROFS_HOLE);
	assert(m->plans[0].nid <= EROFS_ROOT_NID_MAX);
	r = emit_side(m, e);
	if (r < 0)
		return r;
	assert(erofs_data_block(m->d) == m->meta_block);
	super(m, block0);
	r = emit_area(m, e);
	if (r >= 0)
		r = erofs_data_finish(m->d, block0, e);
	if (r >= 0)
		*size = total * EROFS_BLOCK;
	return r;
}

int erofs_meta_write(struct tree *t, struct erofs_data *d, const struct erofs_meta_opts *opts,
		     uint64_t *size, struct err *e)
{
	struct meta m = {.t = t, .d = d, .opts = opts};
	int r = write_all(&m, size, e);

	free(m.v);
	free(m.buf);
	return r;
}

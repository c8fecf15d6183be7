/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/merge.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/erofs.h"
#include "fmt/erofs_read.h"
#include "fmt/limits.h"
#include "unpack/erofs_data.h"
#include "unpack/erofs_meta.h"
#include "unpack/tree.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* One layer being laid over the tree. */
struct layer {
	struct tree *t;
	struct erofs_image img;
	uint64_t base;		    /* its first block, counted from the first layer's */
	struct tree_inode **inodes; /* by inode number, so that hard links stay one inode */
	int depth;
	const struct merge_watch *watch;
};

/* A directory of it, and where it goes. */
struct place {
	struct layer *l;
	struct tree_node *dir;
};

struct attrs {
	struct tree *t;
	struct tree_inode *in;
	bool opaque;
};

static int take_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	struct attrs *a = arg;

	/* Overlay's marks say how layers combine; in the result they mean nothing any more. */
	if (streq(name, "trusted.overlay.opaque") || streq(name, "user.overlay.opaque")) {
		a->opaque = len == 1 && *(const char *)value == 'y';
		return 0;
	}
	return tree_xattr_set(a->t, a->in, name, value, len, e);
}

static int take_data(struct layer *l, const struct erofs_inode *ei, struct tree_inode *in,
		     struct err *e)
{
	struct tree_data *d = &in->data;
	const char *link;

	in->size = ei->size;
	if (S_ISLNK(in->mode)) {
		link = erofs_read_link(&l->img, ei, e);
		in->link = link ? tree_keep(l->t, link, ei->size, e) : NULL;
		return in->link ? 0 : -EBADMSG; /* or the limit: *e knows */
	}
	if (!S_ISREG(in->mode))
		return 0;
	d->block = l->base + (ei->nchunks ? 0 : ei->block);
	d->tail = ei->tail;
	d->tail_len = ei->tail_len;
	if (ei->tail_len && !erofs_data_tail_fits(erofs_data_xattr_bytes(in), ei->tail_len))
		return err_set(e, ERR_UNSUPPORTED, "inode %llu is packed as our layers are not",
			       (unsigned long long)ei->nid);
	d->chunk_bits = ei->chunk_bits;
	d->nchunks = ei->nchunks;
	if (tree_count(l->t, ei->nchunks * sizeof(*d->chunks), e) < 0)
		return -EOVERFLOW;
	d->chunks = arena_array(&l->t->arena, ei->nchunks, sizeof(*d->chunks));
	for (uint32_t i = 0; i < ei->nchunks; i++) {
		memcpy(&d->chunks[i], ei->chunks + i * 4, 4);
		d->chunks[i] = le32toh(d->chunks[i]);
	}
	return 0;
}

/* The layer's inode as the tree's. */
static int take_inode(struct layer *l, const struct erofs_inode *ei, struct tree_inode **out,
		      bool *opaque, struct err *e)
{
	struct tree_inode *in = l->inodes[ei->nid];
	struct attrs a = {.t = l->t};
	int r;

	*opaque = false;
	if (in) {
		/* Two names of one directory would be a loop sooner or later. */
		if (S_ISDIR(ei->mode))
			return err_set(e, ERR_CORRUPT,
				       "damaged EROFS image: inode %llu: two parents",
				       (unsigned long long)ei->nid);
		*out = in;
		return 0;
	}
	a.in = in = tree_inode_new(l->t, ei->mode);
	in->uid = ei->uid;
	in->gid = ei->gid;
	in->mtime = ei->mtime;
	in->mtime_nsec = ei->mtime_nsec;
	in->major = ei->major;
	in->minor = ei->minor;
	if (l->watch)
		in->layer = l->watch->layer;
	r = erofs_read_xattrs(ei, take_xattr, &a, e);
	if (r >= 0)
		r = take_data(l, ei, in, e);
	if (r < 0)
		return r;
	*opaque = a.opaque;
	*out = l->inodes[ei->nid] = in;
	return 0;
}

static int take_entry(void *arg, const char *name, size_t len, uint64_t nid, struct err *e);

static void drop(struct layer *l, struct tree_node *node)
{
	if (l->watch)
		l->watch->gone(l->watch->arg, node);
	tree_remove(l->t, node);
}

static int take_dir(struct layer *l, const struct erofs_inode *ei, struct tree_node *dir,
		    struct err *e)
{
	struct place p = {l, dir};
	int r;

	if (++l->depth > LIMIT_DEPTH)
		return err_set(e, ERR_LIMIT, "a path of more than %d directories", LIMIT_DEPTH);
	r = erofs_read_dir(&l->img, ei, take_entry, &p, e);
	l->depth--;
	return r;
}

static int take_entry(void *arg, const char *name, size_t len, uint64_t nid, struct err *e)
{
	struct place *p = arg;
	struct tree_node *old = tree_find(p->l->t, p->dir, name, len), *node;
	struct erofs_inode ei;
	struct tree_inode *in;
	bool opaque;
	int r = erofs_read_inode(&p->l->img, nid, &ei, e);

	if (r < 0)
		return r;
	if (S_ISCHR(ei.mode) && !ei.major && !ei.minor) {
		if (old)
			drop(p->l, old);
		return 0;
	}
	r = take_inode(p->l, &ei, &in, &opaque, e);
	if (r < 0)
		return r;
	if (old && S_ISDIR(ei.mode) && S_ISDIR(old->inode->mode) && !opaque) {
		old->inode = in;
		return take_dir(p->l, &ei, old, e);
	}
	if (old)
		drop(p->l, old);
	r = tree_add(p->l->t, p->dir, name, len, in, &node, e);
	return r < 0 || !S_ISDIR(ei.mode) ? r : take_dir(p->l, &ei, node, e);
}

static int take_root(struct layer *l, struct err *e)
{
	struct erofs_inode ei;
	struct tree_inode *in;
	bool opaque;
	int r = erofs_read_inode(&l->img, l->img.root, &ei, e);

	if (r < 0)
		return r;
	if (!S_ISDIR(ei.mode))
		return err_set(e, ERR_CORRUPT, "damaged EROFS image: no root directory");
	r = take_inode(l, &ei, &in, &opaque, e);
	if (r < 0)
		return r;
	while (opaque && l->t->root.children)
		drop(l, l->t->root.children);
	l->t->root.inode = in;
	return take_dir(l, &ei, &l->t->root, e);
}

int merge_lay(struct tree *t, const struct merge_layer *from, uint64_t base,
	      const struct merge_watch *watch, struct err *e)
{
	struct layer l = {.t = t, .base = base, .watch = watch};
	int r = erofs_read_open(from->p, from->len, &l.img, e);

	if (r < 0)
		return r;
	l.inodes = calloc(l.img.slots, sizeof(*l.inodes));
	if (!l.inodes)
		abort();
	r = take_root(&l, e);
	free(l.inodes);
	return r;
}

static int take_layer(struct tree *t, const struct merge_layer *from, uint64_t base,
		      struct sha256 *uuids, struct err *e)
{
	struct erofs_image img;
	int r = erofs_read_open(from->p, from->len, &img, e);

	if (r < 0)
		return r;
	sha256_add(uuids, img.uuid, sizeof(img.uuid));
	return merge_lay(t, from, base, NULL, e);
}

int merge_write(const struct merge_layer *layers, size_t n, int out_fd, struct merge_result *out,
		struct err *e)
{
	auto_tree struct tree t = {0};
	struct erofs_meta_opts mo = {.foreign_data = true};
	struct sha256 uuids;
	struct erofs_data *d;
	uint8_t sum[32];
	int r;

	tree_init(&t, NULL);
	sha256_init(&uuids);
	for (size_t i = 0; i < n; i++) {
		r = take_layer(&t, &layers[i], mo.foreign_blocks, &uuids, e);
		if (r < 0)
			return err_wrap(e, r, "layer %zu", i + 1);
		mo.foreign_blocks += layers[i].len / EROFS_BLOCK;
	}
	sha256_done(&uuids, sum);
	memcpy(mo.uuid, sum, sizeof(mo.uuid));
	mo.uuid[6] = (uint8_t)((mo.uuid[6] & 0x0f) | 0x80);
	mo.uuid[8] = (uint8_t)((mo.uuid[8] & 0x3f) | 0x80);
	r = erofs_data_new(out_fd, &t, &d, e);
	if (r < 0)
		return r;
	r = erofs_meta_write(&t, d, &mo, &out->size, e);
	erofs_data_free(d);
	if (r < 0)
		return r;
	out->blocks = out->size / EROFS_BLOCK + mo.foreign_blocks;
	out->entries = t.nodes;
	return 0;
}

int merge_map(const char *path, struct merge_layer *out, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "'%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(e, ERR_CORRUPT, "'%s' is not a layer image", path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "'%s'", path);
	*out = (struct merge_layer){p, (uint64_t)st.st_size};
	return 0;
}

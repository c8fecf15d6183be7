/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - a layer's names and inodes in memory, from the first tar entry until the metadata is
 * written.
 *
 * A node is a name in a directory, an inode what it names (several nodes share one by hard links).
 * Invariants: the root has no name and is its own parent; a child's parent is a directory; names
 * are unique in a directory; inode->nlink is the number of nodes of a non-directory.  Everything
 * lives in the tree's arena and is freed with it; what is removed only becomes unreachable.
 */
#ifndef UNPACK_TREE_H
#define UNPACK_TREE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct spill;

struct tree_xattr {
	struct tree_xattr *next; /* sorted by name */
	const char *name;	 /* whole, with its prefix */
	const uint8_t *value;
	uint32_t len;
};

/* Where a regular file's bytes are; the sink's own notes. */
struct tree_data {
	uint64_t block;	     /* first block (image), number of the staged file (directory) */
	const uint8_t *tail; /* the last partial block, when it stays in memory */
	uint32_t tail_len;   /* 0: none */
	uint32_t nchunks;    /* not 0: sparse, .chunks is used and .block is added to each */
	uint32_t *chunks;    /* block numbers, EROFS_HOLE for none */
	uint8_t chunk_bits;  /* a chunk is 4096 << chunk_bits bytes */
};

struct tree_inode {
	uint32_t mode, uid, gid;
	uint32_t nlink;
	uint32_t mtime_nsec;
	int64_t mtime;
	uint64_t size; /* of a regular file; of a link its length */
	uint32_t major, minor;
	const char *link; /* target of a symbolic link */
	struct tree_xattr *xattrs;
	struct tree_data data;
	uint32_t plan;	/* the writer's number, 0 before */
	uint32_t layer; /* of a merged tree, when somebody watches (unpack/merge.h) */
};

struct tree_node {
	struct tree_node *parent, *children, *next, *prev, *hash_next;
	struct tree_inode *inode;
	const char *name;
	uint16_t len;
	bool opaque;   /* a directory that hides what lies below it */
	bool whiteout; /* a name that hides what lies below it */
	size_t nchildren;
};

struct tree {
	struct arena arena;
	struct spill *spill; /* where the arena's memory comes from; NULL: malloc() */
	struct tree_node root;
	struct tree_node **table;
	size_t buckets, nodes; /* nodes: without the root */
	uint64_t made;	       /* nodes ever added, also removed ones: what LIMIT_ENTRIES counts */
	uint64_t meta_bytes;   /* of names, targets, attributes: what LIMIT_META_BYTES counts */
	uint64_t key[2];
};

/* An empty tree whose root is a directory 0755 of root.  Release with tree_done().  spill:
 * taken over, or NULL. */
void tree_init(struct tree *t, struct spill *spill);
void tree_done(struct tree *t);
#define auto_tree __attribute__((cleanup(tree_done)))

struct tree_inode *tree_inode_new(struct tree *t, uint32_t mode);

/* The child of that name, or NULL. */
struct tree_node *tree_find(const struct tree *t, const struct tree_node *dir, const char *name,
			    size_t len);

/* Follow a canonical path (fmt/tar_name.h) without links.  NULL when something on it is missing or
 * not a directory. */
struct tree_node *tree_walk(struct tree *t, const char *path);

/* Add a name that is not there yet; counts the link.  Errors: ERR_LIMIT. */
int tree_add(struct tree *t, struct tree_node *dir, const char *name, size_t len,
	     struct tree_inode *inode, struct tree_node **out, struct err *e);

/* Take a node and all below it out of the tree. */
void tree_remove(struct tree *t, struct tree_node *node);

/* The children in byte order, as EROFS wants them; arena memory, node->nchildren of them. */
struct tree_node **tree_sorted(struct tree *t, const struct tree_node *dir);

/* Set an extended attribute (copied); one of the same name is replaced.
 * Errors: ERR_LIMIT. */
int tree_xattr_set(struct tree *t, struct tree_inode *inode, const char *name, const void *value,
		   size_t len, struct err *e);

/* Count bytes against LIMIT_META_BYTES.  Errors: ERR_LIMIT. */
int tree_count(struct tree *t, uint64_t bytes, struct err *e);

/* Copy a string or bytes, counted the same way.  NULL with *e when it is reached. */
char *tree_keep(struct tree *t, const void *p, size_t len, struct err *e);

/* "usr/lib/x" of a node for messages, cut at the front when it does not fit; returns buf. */
const char *tree_path(const struct tree_node *node, char *buf, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge - the layers of an image, as overlayfs would show them, in the metadata of one EROFS image
 * whose files' data stays where it is: in the layer files, which follow it on the (virtual) disk in
 * the order given.  The guest mounts one disk and needs no overlay of twenty file systems.
 *
 *   disk:  [this image: superblock, directories, inodes] [layer 0] [layer 1] ...     all whole
 * blocks
 *
 * Source of the rules: Linux, Documentation/filesystems/overlayfs.rst (whiteouts, opaque
 * directories, merged directories take the upper's attributes).
 */
#ifndef UNPACK_MERGE_H
#define UNPACK_MERGE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct tree;
struct tree_node;

struct merge_layer {
	const uint8_t *p; /* the whole file, mapped */
	uint64_t len;
};

/* Map a layer's image; it stays so until the process ends. */
int merge_map(const char *path, struct merge_layer *out, struct err *e);

struct merge_result {
	uint64_t size;	  /* bytes of the metadata image */
	uint64_t blocks;  /* of the whole disk */
	uint64_t entries; /* names in the merged tree */
};

/* layers: bottom first.  out_fd: an empty file, written and synced.
 * Errors: ERR_CORRUPT (a layer is damaged; named by its position), ERR_LIMIT, ERR_SYSTEM. */
int merge_write(const struct merge_layer *layers, size_t n, int out_fd, struct merge_result *out,
		struct err *e);

/* For who wants to know which layer a file is of and what it hides. */
struct merge_watch {
	uint32_t layer; /* noted in every inode that comes from this layer */
	/* A name of a layer below is about to go, with all beneath it: replaced or whited out. */
	void (*gone)(void *arg, struct tree_node *node);
	void *arg;
};

/* Lay one layer over the tree.  base: its first block, counted from the first layer's; watch may be
 * NULL.  The tree points into the layer's bytes.  Errors: as merge_write(). */
int merge_lay(struct tree *t, const struct merge_layer *from, uint64_t base,
	      const struct merge_watch *watch, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dir_sink - a layer as a directory tree, for those who may not mount an image.
 *
 * Regular files are written, under numbers, into a staging directory inside the output whose name
 * no tar entry can have (it begins with ".wh.").  Only when the tar has ended well the tree is
 * built: each directory is made, opened without following links and filled through its descriptor,
 * staged files are moved or linked into place.  No path of the tar is ever resolved by the kernel.
 */
#ifndef UNPACK_DIR_SINK_H
#define UNPACK_DIR_SINK_H

#include "unpack/sink.h"

#include <stdint.h>

struct dir_sink;
struct err;
struct tree;

struct dir_sink_stats {
	uint64_t bytes;		 /* of file data written */
	uint64_t dropped_xattrs; /* refused by the file system or for lack of a privilege */
	uint64_t dropped_nodes;	 /* device nodes that only the host's root may make */
};

/* dir_fd: an empty directory (not O_PATH).  Sets the process's umask. */
int dir_sink_new(int dir_fd, struct dir_sink **out, struct err *e);
void dir_sink_free(struct dir_sink *s);

void dir_sink_ops(struct dir_sink *s, struct sink *out);

/* Build the tree, mark opaque directories with that attribute, sync the file system.
 * Errors: ERR_SYSTEM, ERR_DENIED (an owner that is not mapped here), naming the entry. */
int dir_sink_finish(struct dir_sink *s, struct tree *t, const char *opaque_xattr,
		    struct dir_sink_stats *stats, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packtree - a directory tree as the tar of a layer: the same tree gives the same bytes.
 *
 * Names are sorted by their bytes; times are whole seconds and may be cut at an epoch; nothing of
 * the host goes in (no names of users, no device or inode numbers).  The tree of an overlay's upper
 * directory becomes what the OCI image-spec v1.1 (layer.md) wants to see: ".wh.NAME" for what it
 * removed, ".wh..wh..opq" for a directory that hides the one below.
 *
 * The tree is a workload's: nothing is followed, a file that changes while it is read is an error,
 * and depth is limited.  Sockets are left out: a tar has no place for them.
 */
#ifndef FILES_PACKTREE_H
#define FILES_PACKTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strs;

/* Where the archive goes: all of it, or a negative errno with *e. */
struct packtree_sink {
	int (*write)(void *arg, const void *data, size_t len, struct err *e);
	void *arg;
};

struct packtree_opts {
	bool overlay;		 /* an upper directory */
	bool user_marks;	 /* ... of a mount with userxattr */
	bool fuse_marks;	 /* ... of fuse-overlayfs */
	bool owner_root;	 /* every file is 0:0's */
	const struct strs *skip; /* "etc/hosts": left out while it is an empty file or directory,
				  * the place of a mount; NULL: none */
	int64_t epoch;		 /* no time is later than this; INT64_MAX for none */
};

struct packtree_stats {
	uint64_t entries, bytes; /* files' contents */
};

/* Write all that is in the directory (not itself), and the archive's end.  It becomes the working
 * directory meanwhile.  Errors: ERR_CONFLICT changed, ERR_UNSUPPORTED what no layer can say, naming
 * the path. */
int packtree_write(int dir_fd, const struct packtree_opts *o, const struct packtree_sink *to,
		   struct packtree_stats *stats, struct err *e);

/* The same for one name of a directory ("." for itself), which is called `as` in the archive.
 * ERR_NOT_FOUND. */
int packtree_item(int dir_fd, const char *name, const char *as, const struct packtree_opts *o,
		  const struct packtree_sink *to, struct packtree_stats *stats, struct err *e);

#endif

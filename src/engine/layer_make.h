/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_make - layers that were not pulled: from somebody's tar (`import`), or from a directory
 * (`commit`, builds).
 *
 * Both end as a blob and an unpacked layer in the store, made by one reading of the bytes.  They
 * are leased in the stage: nothing collects them before stage_free(), and by then a record should
 * name them.
 */
#ifndef ENGINE_LAYER_MAKE_H
#define ENGINE_LAYER_MAKE_H

#include "store/layer.h"

struct arena;
struct err;
struct stage;
struct store;
struct strs;

struct layer_made {
	struct layer layer;	/* strings in the caller's arena */
	const char *media_type; /* OCI's, by the first bytes */
};

/* Read one from fd, a file or a pipe.  what: it, in errors.  Errors: ERR_CORRUPT and ERR_LIMIT for
 * the bytes. */
int layer_make_read(struct store *s, struct stage *st, int fd, const char *what, struct arena *a,
		    struct layer_made *out, struct err *e);

/* The same of an archive whose files are wanted: xz and bzip2, too.  The blob is no layer that
 * could be pushed.  TARREAD_NO_ARCHIVE is in the message of what is no archive at all. */
int layer_make_unpack(struct store *s, struct stage *st, int fd, const char *what, struct arena *a,
		      struct layer_made *out, struct err *e);

enum layer_marks { LAYER_PLAIN, LAYER_UPPER_TRUSTED, LAYER_UPPER_USER, LAYER_UPPER_FUSE };

struct layer_pack {
	int dir_fd;	   /* what is in it, not itself */
	bool archive;	   /* dir_fd is a tar, only to be compressed; nothing but codec counts */
	int marks;	   /* enum layer_marks: it is an overlay's upper directory */
	const char *codec; /* "gzip", "zstd", "none" */
	bool epoch_set;	   /* times are cut at epoch (seconds) */
	int64_t epoch;
	bool owner_root;	 /* every file is 0:0's */
	const struct strs *skip; /* left out while they are empty: places for mounts; NULL: none */
};

/* Make one of a directory; the same tree gives the same digests.  Errors: what caisson-pack says
 * about the tree. */
int layer_make_pack(struct store *s, struct stage *st, const struct layer_pack *p, struct arena *a,
		    struct layer_made *out, struct err *e);

/* Make one of an archive that write() makes, in a process of its own, as fast as it is taken;
 * -EPIPE from it, without a message, is "they do not want more", which they explain. */
struct layer_stream {
	const char *codec;
	int (*write)(void *ctx, int fd, struct err *e);
	void *ctx;
};
int layer_make_stream(struct store *s, struct stage *st, const struct layer_stream *from,
		      struct arena *a, struct layer_made *out, struct err *e);

/* The archive of a directory by itself, onto fd: `export`, a build's --output. */
int layer_make_archive(struct store *s, const struct layer_pack *p, int fd, struct err *e);

#endif

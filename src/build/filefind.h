/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filefind - the files that a COPY means, and what they are as one digest.
 *
 * They come from a build context (its .dockerignore counts) or from another stage's root.  Both are
 * somebody else's tree: they are walked beneath a descriptor, links are read as if the tree were
 * "/", and a file that changes between digest and copy is an error.  What a path of a COPY means:
 * the Dockerfile reference, "COPY".
 */
#ifndef BUILD_FILEFIND_H
#define BUILD_FILEFIND_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct dockerignore;
struct err;

#define FILEFIND_MAX 2000000 /* files of one COPY */

struct filefind_root {
	int fd;
	const char *name;		   /* "the build context", "stage 'x'" */
	const struct dockerignore *ignore; /* NULL: all of it counts */
	bool owners;  /* who owns its files counts: they are an image's, or an archive's */
	bool archive; /* what ADD unpacked: all in it stays as the archive has it */
	int64_t time; /* of all its files, seconds since 1970; 0: each has its own */
};

struct filefind_item {
	const char *from; /* path in the root, "" for the root itself */
	const char *to;	  /* beneath the destination; "" is the destination */
	bool alone; /* a file that was named: .to counts when the destination is a directory */
	struct stat st;
};

struct filefind_list {
	struct filefind_item *v; /* directories before what is in them */
	size_t n, named;	 /* named: how many sources the patterns matched */
};

struct filefind_rules {
	const struct dockerignore *exclude; /* --exclude, paths beneath each source; NULL */
	bool parents;			    /* --parents */
};

/* Find what patterns (words of a COPY without its destination, variables replaced) match.
 * Errors: ERR_NOT_FOUND naming the pattern, ERR_LIMIT. */
int filefind_find(const struct filefind_root *r, const struct strs *patterns,
		  const struct filefind_rules *rules, struct arena *a, struct filefind_list *out,
		  struct err *e);

/* SHA-256 over names, kinds, modes, contents, links and attributes, and owners if the root's count.
 * Times do not.  Each file goes into *w, too.  Errors: ERR_CONFLICT when one changed meanwhile. */
struct why;
int filefind_digest(const struct filefind_root *r, const struct filefind_list *l,
		    unsigned char sum[32], struct why *w, struct err *e);

/* ---- for whoever copies them ---- */

/* The directory that was read from last stays open: files come in its order. */
struct filefind_reader {
	int root_fd, dir_fd;
	char *dir;
};
#define FILEFIND_READER_INIT ((struct filefind_reader){.root_fd = -1, .dir_fd = -1})
void filefind_reader_done(struct filefind_reader *k);

/* The file that was found, opened for reading, and no other.  Errors: ERR_CONFLICT. */
int filefind_read(struct filefind_reader *k, const struct filefind_root *r,
		  const struct filefind_item *it, struct err *e);

/* The target of a symlink into out (size bytes); its length. */
ssize_t filefind_link(const struct filefind_root *r, const struct filefind_item *it, char *out,
		      size_t size, struct err *e);

/* Call fn for each extended attribute that belongs to the file and not to its host, until one
 * returns < 0, which is returned.  A file system without attributes has none.  acls: those count,
 * too; in a context they are its host's. */
int filefind_each_xattr(int fd, bool acls,
			int (*fn)(void *ctx, const char *name, const void *v, size_t n), void *ctx);

/* "... changed while it was read": ERR_CONFLICT. */
int filefind_changed(const struct filefind_root *r, const struct filefind_item *it, struct err *e);

/* dir/name, either of which may be "". */
const char *filefind_join(struct arena *a, const char *dir, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filecopy - the files that a COPY means, what they are as one digest, and putting them into a
 * root.
 *
 * They come from a build context (its .dockerignore counts) or from another stage's root.  Both are
 * somebody else's tree: source and destination are walked beneath descriptors, links are read as if
 * the tree were "/", and a file that changed between digest and copy is an error.  What a path of a
 * COPY means: the Dockerfile reference, "COPY".
 */
#ifndef BUILD_FILECOPY_H
#define BUILD_FILECOPY_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct dockerignore;
struct err;

#define FILECOPY_MAX 2000000 /* files of one COPY */

struct filecopy_root {
	int fd;
	const char *name;		   /* "the build context", "stage 'x'" */
	const struct dockerignore *ignore; /* NULL: all of it counts */
};

struct filecopy_item {
	const char *from; /* path in the root, "" for the root itself */
	const char *to;	  /* beneath the destination; "" is the destination */
	bool alone; /* a file that was named: .to counts when the destination is a directory */
	struct stat st;
};

struct filecopy_list {
	struct filecopy_item *v; /* directories before what is in them */
	size_t n, named;	 /* named: how many sources the patterns matched */
};

struct filecopy_rules {
	const struct dockerignore *exclude; /* --exclude, paths beneath each source; NULL */
	bool parents;			    /* --parents */
};

/* Find what patterns (words of a COPY without its destination, variables replaced) match.
 * Errors: ERR_NOT_FOUND naming the pattern, ERR_LIMIT. */
int filecopy_find(const struct filecopy_root *r, const struct strs *patterns,
		  const struct filecopy_rules *rules, struct arena *a, struct filecopy_list *out,
		  struct err *e);

/* SHA-256 over names, kinds, modes, contents, links and attributes; with owners over those, too.
 * Times do not count.  Errors: ERR_CONFLICT when one changed meanwhile. */
int filecopy_digest(const struct filecopy_root *r, const struct filecopy_list *l, bool owners,
		    unsigned char sum[32], struct err *e);

struct filecopy_dest {
	int root_fd;
	const char *path; /* absolute; with '/' at its end it is a directory */
	bool owner_set;	  /* else, and with keep_owner, as they are; else 0:0 */
	bool keep_owner;
	uint32_t uid, gid;
	bool mode_set;
	mode_t mode;
};

/* Put them there.  Errors: ERR_USAGE a destination that cannot take them, ERR_CONFLICT. */
int filecopy_write(const struct filecopy_root *r, const struct filecopy_list *l,
		   const struct filecopy_dest *d, struct err *e);

#endif

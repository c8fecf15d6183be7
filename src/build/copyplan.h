/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copyplan - what the files of a COPY are in the layer that it makes.
 *
 * Nothing is written into the stage's root: the layer's archive is made straight from the sources
 * (copytar.h).  What would be decided by writing is decided here by looking: whether the
 * destination is a directory, which directories are there already (they come along as they are, or
 * a layer without them would take their mode away), where links in the root lead, and what is in
 * the way. The root is an image author's: it is looked at beneath its descriptor, with links read
 * as if it were "/".
 */
#ifndef BUILD_COPYPLAN_H
#define BUILD_COPYPLAN_H

#include "build/filefind.h"

struct copyplan_dest {
	int root_fd;	  /* the layers so far; -1: there are none, or they do not count */
	const char *path; /* absolute; with '/' at its end it is a directory */
	size_t named;	  /* sources, of all lists together: many want a directory */
	bool owner_set;	  /* else as they are, where a root's owners count, and 0:0 */
	uint32_t uid, gid;
	bool mode_set;
	mode_t mode;
};

enum copyplan_kind {
	COPYPLAN_FILE,	/* a source's file, directory, link */
	COPYPLAN_THERE, /* a directory of the root */
	COPYPLAN_MADE,	/* a directory that nobody brings */
};

struct copyplan_entry {
	const char *path; /* in the layer, without '/' at either end */
	int kind;	  /* enum copyplan_kind */
	const struct filefind_root
	    *root; /* of COPYPLAN_FILE, and of what a directory is made for */
	const struct filefind_item *item; /* likewise */
	size_t order;
};

struct copyplan {
	const struct copyplan_dest *d;
	struct arena *a;
	bool into_dir;	  /* the destination is, or becomes, a directory */
	const char *dest; /* clean */
	struct copyplan_entry *v;
	size_t n, cap;
	struct copyplan_dir *last; /* the directory looked at last, and those above it */
};

/* Everything lives in a.  Errors: ERR_USAGE a destination that cannot take the sources. */
int copyplan_begin(struct copyplan *p, const struct copyplan_dest *d, struct arena *a,
		   struct err *e);
int copyplan_add(struct copyplan *p, const struct filefind_root *r, const struct filefind_list *l,
		 struct err *e);
/* Sorts: each directory before what is in it, each path once, the last source winning. */
int copyplan_end(struct copyplan *p, struct err *e);

#endif

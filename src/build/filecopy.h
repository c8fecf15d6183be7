/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filecopy - the files of a COPY, put into a root.
 *
 * The root is an image author's: it is walked beneath its descriptor, links in it are read as if it
 * were "/", and nothing that is there is opened for writing.
 */
#ifndef BUILD_FILECOPY_H
#define BUILD_FILECOPY_H

#include "build/filefind.h"

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
int filecopy_write(const struct filefind_root *r, const struct filefind_list *l,
		   const struct filecopy_dest *d, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filecopy - files that were found, put into an empty directory: the copy that a RUN gets to write
 * to (--mount=type=bind,rw, the first content of a cache).  COPY makes no such copy (copytar.h).
 */
#ifndef BUILD_FILECOPY_H
#define BUILD_FILECOPY_H

struct err;
struct filefind_list;
struct filefind_root;

/* Put them there, with their owners, modes, times and attributes.  Errors: ERR_CONFLICT. */
int filecopy_write(const struct filefind_root *r, const struct filefind_list *l, int dir_fd,
		   struct err *e);

#endif

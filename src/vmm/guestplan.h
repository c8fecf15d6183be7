/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guestplan - the plan as the guest shall see it (docs/protocols/guest.md, last section), and what
 * the host has to share with the machine for it: small files that are sent, directories that a
 * virtiofsd serves.  Host paths do not reach the guest.
 */
#ifndef VMM_GUESTPLAN_H
#define VMM_GUESTPLAN_H

#include "spec/plan.h"

struct err;

#define GUESTPLAN_FILE_MAX 65536 /* a larger file is shared, not sent */

struct guestplan_file {
	const char *source; /* on the host; read when the machine starts */
	const char *name;   /* below /run/caisson/files in the guest */
};

struct guestplan_share {
	const char *source;  /* directory, or a file that is alone in its share */
	const char *subpath; /* beneath the directory source; NULL: all of it */
	const char *tag;     /* "share0" */
	const char *file;    /* its name in the share; NULL for a directory */
	bool readonly;
	bool consistent; /* what others write is seen at once, their locks hold; no shared
			    mmap(), and locks are tried and not waited for */
};

struct guestplan {
	struct plan plan; /* shares memory with the plan it was made of */
	struct guestplan_file *files;
	size_t file_count;
	struct guestplan_share *shares;
	size_t share_count;
};

/* Errors: ERR_UNSUPPORTED for what a guest cannot have (devices of the host, sockets as mounts, a
 * shared host namespace), ERR_NOT_FOUND a missing mount source. */
int guestplan_make(const struct plan *p, struct arena *a, struct guestplan *out, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copyin - a tar archive into a directory tree that somebody else may be changing meanwhile.
 *
 * Archive and tree may both be a workload's, while we are root.  So every name of the archive is
 * walked by the kernel beneath the tree's descriptor (sys/path.h), what is written is always a file
 * that was just made, and nothing that exists is opened for writing (CVE-2018-15664,
 * CVE-2019-14271).
 */
#ifndef FILES_COPYIN_H
#define FILES_COPYIN_H

#include <stdbool.h>
#include <stdint.h>

struct err;

enum copyin_kind {
	COPYIN_ITEM,	 /* the archive is one thing and what is beneath it: "x", "x/y" */
	COPYIN_CONTENTS, /* likewise, but only what is beneath it is wanted */
	COPYIN_RAW,	 /* entries are taken as they are */
};

struct copyin_opts {
	int kind;	  /* enum copyin_kind */
	const char *path; /* where to, in the tree; links on the way lead nowhere outside of it */
	bool links;	  /* links that lie in the tree are followed on the way of an entry, too */
	bool archive;	 /* owners, setuid bits, capabilities, devices as they are in the archive */
	bool owner_root; /* else everything becomes 0:0's, or (false) the caller's */
};

/* As docker's cp does it: an item goes into a directory that is there, or takes the name of a path
 * that is not; contents and raw want a directory (contents make it).  fd: the archive,
 * uncompressed. *bytes: of files written. Errors: ERR_NOT_FOUND, ERR_CONFLICT (a file in the place
 * of a directory and the like), ERR_CORRUPT, ERR_UNSUPPORTED, ERR_SYSTEM; each names the path. */
int copyin_run(int root_fd, const struct copyin_opts *o, int fd, uint64_t *bytes, struct err *e);

#endif

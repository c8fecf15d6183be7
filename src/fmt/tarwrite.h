/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarwrite - headers of a tar archive: ustar, with a pax header before it for what ustar has no
 * room for.  The same entry gives the same bytes: nothing but the entry goes in.
 * Source: POSIX.1-2024, pax, "ustar Interchange Format", "pax Header Block".
 *
 * An archive is, for each entry: tarwrite_header(), the content of a file, tarwrite_pad(); at the
 * end tarwrite_end().
 */
#ifndef FMT_TARWRITE_H
#define FMT_TARWRITE_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define TARWRITE_BLOCK 512

enum tarwrite_type {
	TARWRITE_FILE = '0',
	TARWRITE_HARDLINK = '1',
	TARWRITE_SYMLINK = '2',
	TARWRITE_CHAR = '3',
	TARWRITE_BLOCKDEV = '4',
	TARWRITE_DIR = '5',
	TARWRITE_FIFO = '6',
};

struct tarwrite_xattr {
	const char *name; /* whole: "user.x" */
	const void *value;
	size_t len;
};

struct tarwrite_entry {
	int type;	  /* enum tarwrite_type */
	const char *name; /* of a directory with or without the '/' at its end */
	const char *link; /* target, of links */
	uint32_t mode;	  /* permission bits and setuid, setgid, sticky */
	uint64_t uid, gid;
	uint64_t size; /* of a file; else ignored */
	int64_t mtime; /* seconds since the epoch, also before it */
	uint32_t mtime_nsec;
	uint32_t major, minor;
	const struct tarwrite_xattr *xattrs; /* written in this order */
	size_t nxattrs;
};

/* ERR_USAGE: a name that is empty, or an attribute's with '=' in it. */
int tarwrite_header(const struct tarwrite_entry *t, struct buf *out, struct err *e);
/* Zeros from the end of a file of this size to the next block. */
void tarwrite_pad(uint64_t size, struct buf *out);
void tarwrite_end(struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarread - entries of a tar archive, as they stream by: v7, ustar, pax (extended headers, SCHILY
 * and LIBARCHIVE attributes), GNU (long names and links, base-256 numbers), star's ustar, sparse
 * files in all their forms (old GNU, pax 0.0, 0.1 and 1.0).  Names are bytes; nothing here knows
 * what they mean (fmt/tar_name.h does), nor follows them.
 *
 * Where programs disagree, it is read as the engines read it that people's images were made for
 * and are reviewed with (docs/decisions/0009-our-own-tar-reader.md): global pax headers change
 * nothing, a link or a directory has no content whatever its size says, malformed fields are
 * errors.  Memory: one header and LIMIT_PAX, LIMIT_RUNS; none of it grows with the archive.
 * Source: POSIX.1-2024, pax; GNU tar manual, appendix "Tar Internals"; star(4).
 */
#ifndef FMT_TARREAD_H
#define FMT_TARREAD_H

#include "fmt/tarpax.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct tarread;

/* Where the bytes come from: the next piece, valid until the next call, 0 at the end, negative
 * errno with *e. */
struct tarread_source {
	ssize_t (*next)(void *arg, const void **data, struct err *e);
	void *arg;
};

enum tarread_type {
	TARREAD_FILE,
	TARREAD_DIR,
	TARREAD_SYMLINK,
	TARREAD_HARDLINK,
	TARREAD_CHAR,
	TARREAD_BLOCK,
	TARREAD_FIFO,
};

/* Everything is borrowed until the next call of tarread_next(). */
struct tarread_entry {
	enum tarread_type type;
	struct tarpax_value name,
	    link;	  /* bytes, at least one, at most LIMIT_PAX, none of them NUL */
	uint32_t mode;	  /* permission bits, setuid, setgid, sticky */
	int64_t uid, gid; /* as they stand there: may be negative or large */
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size; /* of a file, with its holes; else 0 */
	int64_t major, minor;
	const struct tarpax_xattr *xattrs;
	size_t nxattrs;
	struct tarpax_value acl_access, acl_default; /* in words, see fmt/acl_text.h */
	uint64_t ignored;			     /* attributes that are not understood */
	bool sparse;
	const struct tarpax_run *runs; /* sparse: where data is; ascending, within size */
	size_t nruns;
};

/* The error of what is none at all: callers who would then do something else look for it. */
#define TARREAD_NO_ARCHIVE "not a tar archive"

struct tarread *tarread_new(const struct tarread_source *src);
void tarread_free(struct tarread *t);

/* The next entry; what was not read of the last one's data is skipped.  1, or 0 at the end of the
 * archive (in what is left of the source's last piece there are only zeros then).
 * Errors: ERR_CORRUPT, ERR_LIMIT, ERR_UNSUPPORTED, the source's. */
int tarread_next(struct tarread *t, struct tarread_entry *out, struct err *e);

/* The next bytes of a file and their offset in it.  1, or 0 when there are no more.  *p is valid
 * until the next call. */
int tarread_data(struct tarread *t, const void **p, size_t *len, uint64_t *off, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarpax - the records of a pax extended header: "LENGTH KEY=VALUE\n", one after the other.
 * Source: POSIX.1-2024, pax, "pax Extended Header"; GNU tar manual, "Storing Sparse Files";
 * star(4) for SCHILY.*; libarchive-formats(5) for LIBARCHIVE.*.
 */
#ifndef FMT_TARPAX_H
#define FMT_TARPAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* A value: bytes with a NUL behind them that may hold others; p NULL: not set. */
struct tarpax_value {
	const char *p;
	size_t len;
};

struct tarpax_xattr {
	const char *name; /* whole, "user.x" */
	const void *value;
	size_t len;
};

struct tarpax_run {
	uint64_t off, len;
};

struct tarpax {
	struct tarpax_value path, linkpath, acl_access, acl_default;
	struct tarpax_value sparse_map, sparse_name;
	bool has_size, has_uid, has_gid, has_mtime, has_major, has_minor, has_sparse_size;
	int64_t size, uid, gid, mtime, major, minor;
	uint32_t mtime_nsec;
	int64_t sparse_major, sparse_minor; /* -1: not set */
	int64_t sparse_size, sparse_count;  /* count -1: not set */
	uint64_t ignored;		    /* attributes that nobody here understands */
	/* Storage that is kept from one header to the next. */
	struct tarpax_xattr *xattrs;
	size_t nxattrs, cap_xattrs;
	struct tarpax_run *runs; /* of sparse format 0.0 */
	size_t nruns, cap_runs;
};

/* Nothing set, storage kept. */
void tarpax_reset(struct tarpax *x);
void tarpax_free(struct tarpax *x);

/* text: a whole header body, changed in place (values get a NUL, encoded names and values are
 * decoded) and referred to.  Keys of no concern are skipped.  Errors: ERR_CORRUPT, ERR_LIMIT. */
int tarpax_parse(struct tarpax *x, char *text, size_t len, struct err *e);

/* Append to a list of runs.  Errors: ERR_CORRUPT (not ascending, overflow), ERR_LIMIT. */
int tarpax_run_add(struct tarpax *x, int64_t off, int64_t len, struct err *e);

#endif

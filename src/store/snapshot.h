/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot - saved states of instances on disk (docs/formats/snapshot.md).
 *
 *	root/snapshots/NAME/record.json		the manifest
 *	root/snapshots/NAME/disk|memory|state|machine.json
 *
 * Invariants: 1. a snapshot is made in a stage and appears whole, by one rename.  2. It is never
 * changed.  3. Who reads it holds a shared flock on its directory, who removes it an exclusive one.
 * 4. The image that it needs is kept as long as it is there (image_saver()).
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct stage;
struct store;

#define SNAPSHOT_VERSION 1
#define SNAPSHOT_RECORD	 "record.json"
#define SNAPSHOT_LABEL	 "caisson.snapshot" /* of an image that was made for one */

enum snapshot_kind {
	SNAPSHOT_FILES,	  /* the files, as an image */
	SNAPSHOT_DISK,	  /* the writable disk of a VM that did not run */
	SNAPSHOT_MACHINE, /* disk and memory of one that ran */
	SNAPSHOT_KIND_MAX_
};
extern const char *const snapshot_kind_names[];

struct snapshot_file {
	const char *name;
	uint64_t bytes;	    /* its length */
	const char *digest; /* "sha256:...", of what is not zero: see snapshot_digest() */
};
struct snapshot_files {
	struct snapshot_file *v;
	size_t n;
};

struct snapshot {
	int64_t version;
	const char *name;
	int64_t created_ns; /* since the epoch */
	int kind;	    /* enum snapshot_kind */
	const char *image_id;
	const char *instance; /* JSON, its record as it was (spec/record.h) */
	bool running;	      /* it ran */
	int64_t pause_ns;     /* how long it stood still */
	struct snapshot_files files;
	const char *machine; /* JSON, the VMM's tags (vmm/vmsnapshot.h); NULL: no memory */
};
struct snapshots {
	struct snapshot *v;
	size_t n;
};
extern const struct jbind snapshot_table;

/* Everything in `dir` (of the stage, beneath the root) gets its length and digest in *s, is synced,
 * and s->name appears.  ERR_EXISTS the name is taken, ERR_USAGE a bad name. */
int snapshot_publish(struct store *st, int dir, const char *path, struct snapshot *s,
		     struct arena *a, struct err *e);
/* Its directory, locked shared, and its manifest.  Errors: ERR_NOT_FOUND; ERR_CORRUPT a manifest
 * that is none, or a file that is missing or has another length; ERR_UNSUPPORTED another version.
 */
int snapshot_open(struct store *st, const char *name, struct arena *a, struct snapshot *out,
		  struct err *e);
/* The manifest in a directory, with the same errors. */
int snapshot_read(int dir, const char *name, struct arena *a, struct snapshot *out, struct err *e);
/* Read all of it: ERR_CORRUPT, naming the file. */
int snapshot_verify(int dir, const struct snapshot *s, struct err *e);
/* All that can be read, by name.  broken: the names of the others; may be NULL. */
int snapshot_list(struct store *st, struct arena *a, struct snapshots *out, struct strs *broken,
		  struct err *e);
/* ERR_CONFLICT somebody reads it.  image_id, in a: what it needed, or NULL. */
int snapshot_remove(struct store *st, const char *name, struct arena *a, const char **image_id,
		    struct err *e);

/* "sha256:" and the digest of: for each block of SPARSE_BLOCK bytes that is not all zero its
 * position (u64, little endian) and its bytes; then the length of the file (u64). */
int snapshot_digest(int fd, struct arena *a, const char **digest, uint64_t *bytes, struct err *e);

/* Name of a snapshot that needs this image; NULL if none. */
const char *snapshot_user(struct store *st, const char *image_id, struct arena *a);

#endif

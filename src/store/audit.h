/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit - is everything in the store what it says it is?
 *
 * Every blob is hashed.  Every EROFS layer is made again from its blob and compared byte by byte,
 * because its mark holds no sum of it (the writer is deterministic); without its blob its structure
 * is walked.  Layers kept as directories are made again the same way and compared as trees
 * (store/treecmp.h), merged metadata is made again from its layers.  Every record, manifest and
 * configuration is read, and what they name must be there.
 *
 * No lock is held while bytes are read: what is being looked at is leased, and repairs are done
 * under STORE_EXCLUSIVE.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct image_record;
struct store;

enum audit_kind {
	AUDIT_WRONG, /* something is damaged or missing */
	AUDIT_FIXED, /* what was done about it */
	AUDIT_LOST,  /* what cannot be repaired here: what brings it back */
	AUDIT_NOTE,  /* no damage */
};

struct audit_result {
	uint64_t images, blobs, layers; /* looked at */
	uint64_t bytes;			/* hashed or compared */
	uint64_t wrong, fixed;
};

struct audit_opts {
	bool repair;
	/* One line per finding. */
	void (*tell)(int kind, const char *line, void *arg);
	/* Bring what an image has lost once more from where it came, by digest; called without a
	 * lock.  NULL: nobody can. */
	bool (*again)(const struct image_record *rec, void *arg);
	void *arg;
};

/* Errors: only when the check itself cannot go on. */
int audit_run(struct store *s, const struct audit_opts *opts, struct audit_result *out,
	      struct err *e);

#endif

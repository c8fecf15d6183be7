/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part - the beginning of a blob whose download was broken off: parts/<hex>, held by flock while
 * somebody is at it, so that several commands that want the same blob share one download and an
 * interrupted one goes on where it stopped.
 *
 * Invariants: whoever writes holds the lock on the file that has the name; a part only ever has a
 * beginning of what was sent, never holes; it becomes the blob by rename, after all of it had the
 * right digest.  Parts that nobody touched for PART_KEEP_S seconds are garbage.
 */
#ifndef STORE_PART_H
#define STORE_PART_H

#include <stdint.h>

struct err;
struct store;

#define PART_KEEP_S (24 * 60 * 60)

struct part {
	int fd; /* -1: none; open for reading and writing, close-on-exec */
	uint64_t have;
	char hex[65];
};

/* Take the part of a blob of that size, making an empty one.  1: it is ours; 0: somebody else is
 * at it, out->have says how far.  What is longer than the blob is begun anew. */
int part_take(struct store *s, const char *digest, uint64_t size, struct part *out, struct err *e);
/* Its bytes are those of the digest: it becomes the blob.  The lock stays until part_close(). */
int part_commit(struct store *s, struct part *p, const char *digest, uint64_t size, struct err *e);
/* Its bytes are wrong: away with it. */
void part_drop(struct store *s, struct part *p);
/* Keep what is there for the next try.  An empty one goes.  p->fd -1 is fine. */
void part_close(struct store *s, struct part *p);

/* Remove parts that nobody is at and that are at least that old; adds to *count and *bytes (disk
 * space) unless NULL. */
void part_sweep(struct store *s, int64_t age_s, uint64_t *count, uint64_t *bytes);

#endif

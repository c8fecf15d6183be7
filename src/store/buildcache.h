/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildcache - what a build step made before: cache/build/<key>.json, one small file per step.
 *
 * The key is a SHA-256 of all that goes into a step (src/build says what); the entry names the
 * layer that came out.  An entry whose layer is gone is no entry.  Garbage collection spares what
 * an entry names, so entries have to be pruned, or nothing is ever freed.
 */
#ifndef STORE_BUILDCACHE_H
#define STORE_BUILDCACHE_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct store;

struct buildcache_entry {
	const char *key;     /* 64 hex digits */
	const char *diff_id; /* NULL: the step made no file */
	const char *blob, *media_type;
	uint64_t blob_size;
	const char *step; /* its text, for people */
	int64_t created_ns, used_ns; /* used_ns: as buildcache_touch() said, reading only */
};

struct buildcache_list {
	struct buildcache_entry *v;
	size_t n;
};

/* ERR_NOT_FOUND without a message when there is none, or its layer is gone. */
int buildcache_find(struct store *s, const char *key, struct arena *a, struct buildcache_entry *out,
		    struct err *e);

/* Durable enough: an entry lost in a crash is a step run once more. */
int buildcache_put(struct store *s, const struct buildcache_entry *entry, struct err *e);

/* It was used now.  The file's own time says so: a build that finds everything writes nothing. */
void buildcache_touch(const struct store *s, const char *key);

/* All readable ones, unsorted.  No directory is no entries. */
int buildcache_all(const struct store *s, struct arena *a, struct buildcache_list *out,
		   struct err *e);

/* What went into the step of this key, for people: bytes of its owner's, which go with the entry.
 * Lost in a crash, it is not missed.  Reading: -ENOENT none, else *data to be freed. */
int buildcache_note_put(struct store *s, const char *key, const void *data, size_t len,
			struct err *e);
int buildcache_note_read(const struct store *s, const char *key, size_t max, char **data,
			 size_t *len);

/* Bytes that builds may leave in this store, 0 for any number; kept with it. */
uint64_t buildcache_limit(const struct store *s);
int buildcache_set_limit(struct store *s, uint64_t bytes, struct err *e);

/* Absent is fine. */
int buildcache_remove(struct store *s, const char *key, struct err *e);

#endif

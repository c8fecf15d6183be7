/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cachedoc - what an exported build cache says of itself: which step made which of its layers, and
 * which layers are the contents of cache mounts.  It comes from registries and archives: whoever
 * reads it believes a step's key (as docker's builder does), and nothing else that is not checked
 * here.  Described in docs/formats/build-cache.md.
 */
#ifndef FMT_CACHEDOC_H
#define FMT_CACHEDOC_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct err;

#define CACHEDOC_LABEL	    "io.caisson.build-cache"
#define CACHEDOC_VERSION    1
#define CACHEDOC_STEPS_MAX  4096
#define CACHEDOC_MOUNTS_MAX 64

struct cachedoc_step {
	const char *key;     /* 64 hex digits */
	const char *diff_id; /* NULL: it made no file */
	const char *step;    /* its text, for people; may be NULL */
	int64_t created_ns;
};
struct cachedoc_steps {
	struct cachedoc_step *v;
	size_t n;
};

struct cachedoc_mount {
	const char *name; /* 64 hex digits of its id's SHA-256, "-0" */
	const char *diff_id;
	uint32_t uid, gid, mode; /* of the directory itself */
};
struct cachedoc_mounts {
	struct cachedoc_mount *v;
	size_t n;
};

struct cachedoc {
	int32_t version;
	struct cachedoc_steps steps;
	struct cachedoc_mounts mounts;
};

/* Strings go into a.  Errors: ERR_CORRUPT, ERR_LIMIT, ERR_UNSUPPORTED another version. */
int cachedoc_parse(const char *text, size_t len, struct arena *a, struct cachedoc *out,
		   struct err *e);
void cachedoc_write(const struct cachedoc *d, struct buf *out);

#endif

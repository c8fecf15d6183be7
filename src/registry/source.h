/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - what images come from: a registry, a directory, an archive, behind a few functions; and
 * the registry that they go to.  What a source cannot do is NULL.
 *
 * Called from several threads at once; an implementation keeps what changes behind its own lock.
 */
#ifndef REGISTRY_SOURCE_H
#define REGISTRY_SOURCE_H

#include "fmt/digest.h"
#include "spec/fetch.h"

#include <stdint.h>

struct arena;
struct blob_sink;
struct buf;
struct err;
struct source;

/* What goes to a registry: a blob, or the manifest of all of them. */
struct source_push {
	int file; /* its bytes; borrowed, read by offset */
	const char *digest;
	uint64_t size;
	const char *from;	/* a blob: the registry's repository that likely has it, or NULL */
	const char *ref;	/* a manifest: tag or digest */
	const char *media_type; /* a manifest */
	void (*report)(void *arg, uint64_t sent); /* now and then */
	void *arg;
	const char **how; /* a blob: set to "exists", "mounted" or "uploaded" */
};

struct source_got {
	char digest[DIGEST_LEN + 1];
	uint64_t size;
	int64_t modified; /* as the server says it, seconds since 1970; 0: it does not */
	void (*report)(void *arg, uint64_t got); /* in: now and then */
	void *arg;
};

struct source_ops {
	/* What is there; ERR_UNSUPPORTED when the source cannot tell. */
	int (*list)(struct source *s, struct arena *a, struct fetch_list *out, struct err *e);
	/* The document a reference (NULL: the only one) stands for, at most OCI_MANIFEST_MAX. */
	int (*manifest)(struct source *s, const char *ref, struct buf *out, const char **media_type,
			struct arena *a, struct err *e);
	/* All bytes of a blob into the sink, which checks size and digest. */
	int (*blob)(struct source *s, const char *digest, struct blob_sink *sink, struct err *e);
	void (*close)(struct source *s);
	int (*push_blob)(struct source *s, const struct source_push *p, struct err *e);
	/* Is it there, or can it be mounted?  *p->how, or "absent". */
	int (*have_blob)(struct source *s, const struct source_push *p, struct err *e);
	int (*push_manifest)(struct source *s, const struct source_push *p, struct err *e);
	/* An index of what refers to a digest; artifact_type: only that, or NULL. */
	int (*referrers)(struct source *s, const char *digest, const char *artifact_type,
			 struct buf *out, struct err *e);
	/* Remove a tag or, by digest, a manifest; *removed: what went. */
	int (*remove)(struct source *s, const char *ref, struct arena *a, const char **removed,
		      struct err *e);
	/* At most limit of what the registry's index knows for a term, as an answer of an index. */
	int (*search)(struct source *s, const char *term, uint64_t limit, struct buf *out,
		      struct err *e);
	/* The bytes behind an address into a file, from its beginning. */
	int (*get)(struct source *s, const char *url, int file, struct source_got *out,
		   struct err *e);
	/* Does the registry take this user and password?  ERR_DENIED. */
	int (*login)(struct source *s, const char *user, const char *secret, struct err *e);
};

struct source {
	const struct source_ops *ops;
};

#endif

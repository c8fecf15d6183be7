/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_fetch - the engine's end of a caisson-fetch process (spec/fetch.h,
 * docs/protocols/fetch.md).
 */
#ifndef ENGINE_IMAGE_FETCH_H
#define ENGINE_IMAGE_FETCH_H

#include "base/arena.h"
#include "spec/fetch.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct image_fetch;
struct store;

struct image_fetch_source {
	const char *transport;	       /* "registry", "web", "oci", "archive", ... */
	const char *host, *repository; /* registry */
	bool push, login, remove;      /* registry: images go there; only a login is tried; images
					* are removed */
	bool search;		       /* registry: only its index is asked */
	struct strs from;	       /* push: repositories there that have some of it already */
	int file;		       /* the others: directory or regular file, borrowed */
};

int image_fetch_start(struct store *s, const struct image_fetch_source *src,
		      struct image_fetch **out, struct err *e);
void image_fetch_stop(struct image_fetch *f);
int image_fetch_fd(const struct image_fetch *f);

/* What an archive or layout holds. */
int image_fetch_list(struct image_fetch *f, struct arena *a, struct fetch_list *out, struct err *e);

/* A document: its text (in a, NUL behind), digest checked against the bytes and, if ref is one,
 * ref. */
struct image_fetch_doc {
	const char *text, *digest, *media_type;
	size_t len;
};
int image_fetch_manifest(struct image_fetch *f, const char *ref, struct arena *a,
			 struct image_fetch_doc *out, struct err *e);
/* A small blob into memory, at most max bytes. */
int image_fetch_document(struct image_fetch *f, const char *digest, size_t size, size_t max,
			 struct arena *a, struct image_fetch_doc *out, struct err *e);

/* Ask for a blob; its bytes go to file and, unless -1, pipe.  have: of those so many are in file
 * already (registries only).  Returns at once; packets with this id
 * come from image_fetch_next(). */
int image_fetch_blob(struct image_fetch *f, uint64_t id, const char *digest, uint64_t size,
		     uint64_t have, int file, int pipe, struct err *e);
/* Send one; its bytes are read from file.  The packets are the same. */
struct image_fetch_push {
	const char *digest, *from;    /* from: repository there to take it from, or NULL */
	const char *ref, *media_type; /* of a manifest; else NULL */
	uint64_t size;
	int file;
};
int image_fetch_push(struct image_fetch *f, uint64_t id, const struct image_fetch_push *p,
		     struct err *e);
/* 1: a registry that is pushed to has the blob, or took it from its repository `from`. */
int image_fetch_have(struct image_fetch *f, const char *digest, uint64_t size, const char *from,
		     struct err *e);
/* Does the registry take them?  Waits.  ERR_DENIED. */
int image_fetch_login(struct image_fetch *f, const char *user, const char *secret, struct err *e);
/* An index of what refers to a digest; artifact_type: only that, or NULL. */
int image_fetch_referrers(struct image_fetch *f, const char *digest, const char *artifact_type,
			  struct arena *a, struct image_fetch_doc *out, struct err *e);
/* At most limit of what the registry's index knows for a term.  ERR_UNSUPPORTED: it has no search.
 */
int image_fetch_search(struct image_fetch *f, const char *term, uint64_t limit, struct arena *a,
		       struct fetch_search *out, struct err *e);
/* Remove a tag or, by digest, a manifest from the registry; *removed: what went. */
int image_fetch_remove(struct image_fetch *f, const char *ref, struct arena *a,
		       const char **removed, struct err *e);
/* What is behind an address (transport "web") into a file, an empty one; waits.  Strings in a. */
struct image_fetch_got {
	const char *digest;
	uint64_t size;
	int64_t modified; /* seconds since 1970; 0: the server does not say */
};
int image_fetch_get(struct image_fetch *f, const char *url, int file, struct arena *a,
		    struct image_fetch_got *out, struct err *e);
/* Wait for the answer to what was asked under this id, nothing else being under way; report: of
 * bytes that moved meanwhile, may be NULL. */
int image_fetch_wait(struct image_fetch *f, uint64_t id, void (*report)(void *arg, uint64_t moved),
		     void *arg, struct err *e);
/* The next packet, waiting for it; strings in a.  ERR_SYSTEM when the program is gone. */
int image_fetch_next(struct image_fetch *f, struct arena *a, struct fetch_msg *out, struct err *e);

#endif

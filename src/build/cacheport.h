/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cacheport - the build cache out of this store and into another: --cache-to, --cache-from.
 *
 * A cache travels as an image that nobody runs: its layers are those of the steps and the contents
 * of cache mounts, and a label of its configuration says which is which (fmt/cachedoc.h).  So it
 * goes wherever images go, is checked as they are, and an image can carry its own (inline).
 * Bringing one in is a pull, after which its steps are entries of this store's cache.
 * docs/formats/build-cache.md.
 */
#ifndef BUILD_CACHEPORT_H
#define BUILD_CACHEPORT_H

#include "base/arena.h"

#include <stdbool.h>

struct err;
struct oci_config;
struct session;
struct stage;
struct store;

enum cacheport_kind { CACHEPORT_REGISTRY, CACHEPORT_LOCAL, CACHEPORT_INLINE };

struct cacheport {
	int kind;	    /* enum cacheport_kind */
	const char *text;   /* as it was given */
	const char *where;  /* a name of a registry, or a directory; NULL: inline */
	bool max;	    /* every stage's steps; else those of the image */
	bool forgiving;	    /* what goes wrong is a warning */
	struct strs mounts; /* ids of cache mounts that go along */
};

/* to: --cache-to, else --cache-from.  Errors: ERR_USAGE. */
int cacheport_parse(const char *text, bool to, struct arena *a, struct cacheport *out,
		    struct err *e);

/* What a build lends. */
struct cacheport_work {
	struct session *s;
	struct store *store;
	struct stage *lease;
	struct arena *a;
	void (*warn)(void *ctx, const char *text);
	void *ctx;
	struct strs keys; /* of its steps; export only */
};

/* Bring one in; what cannot be had or is none is a warning. */
void cacheport_import(const struct cacheport_work *w, const struct cacheport *p);

/* Send one; config: of the image that was built. */
int cacheport_export(const struct cacheport_work *w, const struct cacheport *p,
		     const struct oci_config *config, struct err *e);

/* The label's text for an image that carries the cache of its own steps. */
int cacheport_inline(const struct cacheport_work *w, const struct oci_config *config,
		     const char **out, struct err *e);

#endif

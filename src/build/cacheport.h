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
struct imageconf;
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

struct cacheports {
	struct cacheport *to, *from;
	size_t n_to, n_from;
};

/* All that --cache-to and --cache-from said. */
int cacheport_read(const struct strs *to, const struct strs *from, struct arena *a,
		   struct cacheports *out, struct err *e);

/* Bring them in; what cannot be had or is none is a warning. */
void cacheport_bring(const struct cacheport_work *w, const struct cacheports *p);

/* Send them; config: of the image that was built. */
int cacheport_send(const struct cacheport_work *w, const struct cacheports *p,
		   const struct oci_config *config, struct err *e);

/* The label of an image that carries the cache of its own steps, if it is to. */
int cacheport_label(const struct cacheport_work *w, const struct cacheports *p,
		    struct imageconf *ic, struct err *e);

#endif

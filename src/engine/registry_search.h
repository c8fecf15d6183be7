/* SPDX-License-Identifier: Apache-2.0 */
/* registry_search - which images a registry's index knows for a term, as docker asks it: Docker
 * Hub's, or that of the registry that the term begins with (HOST/TERM). */
#ifndef ENGINE_REGISTRY_SEARCH_H
#define ENGINE_REGISTRY_SEARCH_H

#include "base/arena.h"
#include "spec/fetch.h"

#include <stdint.h>

struct err;
struct store;

#define REGISTRY_SEARCH_LIMIT	  25 /* as docker, when none is given */
#define REGISTRY_SEARCH_LIMIT_MAX 100
#define REGISTRY_SEARCH_TERM_MAX  255

struct registry_search_opts {
	const char *term;
	int64_t limit;	     /* 1..REGISTRY_SEARCH_LIMIT_MAX; 0: REGISTRY_SEARCH_LIMIT */
	struct strs filters; /* KEY=VALUE: stars, is-official, is-automated */
};

/* In the order of the index; what it says is a stranger's text.  ERR_USAGE, in docker's words;
 * ERR_UNSUPPORTED: the registry has no search. */
int registry_search_run(struct store *s, const struct registry_search_opts *o, struct arena *a,
			struct fetch_founds *out, struct err *e);

/* *image: a name in the registry that the term is asked of, for its credentials.  ERR_USAGE. */
int registry_search_place(const char *term, struct arena *a, const char **image, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify - the same image twice: builds again without the cache, with other settings, and says
 * where the results part.
 *
 * What the second build changes for its steps: host name, clocks (a container's monotonic and boot
 * clocks, in a time namespace; all of a VM's), time zone, locale, and that one stage is built after
 * the other.
 */
#ifndef BUILD_VERIFY_H
#define BUILD_VERIFY_H

#include <stdbool.h>

struct arena;
struct builder_opts;
struct builder_result;
struct err;
struct session;

struct verify {
	bool same;
	const char *second; /* manifest of the other image, which is not kept */
	const char *layer;  /* which one is the first that differs, and its step; NULL: none */
	const char *file;   /* the first that differs in it, and how */
};

/* After builder_run() made *built with the same options.  Lives in a.  Errors: builder_run()'s;
 * why->... of the second build in *again. */
int verify_run(struct session *s, const struct builder_opts *o, const struct builder_result *built,
	       struct builder_result *again, struct arena *a, struct verify *out, struct err *e);

/* The first path in which two trees differ, and how, in a; NULL: none does. */
int verify_trees(int one, int other, struct arena *a, const char **out, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lint - what is legal in a Dockerfile and better avoided: the documented build checks, by their
 * documented names.  The directive "# check=skip=RULE,RULE|all;error=true" turns rules off, and
 * warnings into errors.
 */
#ifndef BUILD_LINT_H
#define BUILD_LINT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct dockerfile;
struct dockerignore;
struct err;
struct oci_config;
struct stages;

struct lint_warning {
	const char *rule, *text;
	int line;
};

struct lint {
	struct lint_warning *v; /* in the order of their lines */
	size_t n;
	bool error; /* the file wants warnings to be errors */
};

struct lint_input {
	const struct dockerfile *file;
	const struct stages *stages;
	const char *text; /* of the file, for the comments in it */
	size_t len;
	const struct dockerignore *ignore; /* NULL: no such file */
	/* The configuration of a stage's base image, good until the next call; NULL when it is not
	 * at hand, then undefined variables of that stage, and of those on it, are not looked for.
	 * May itself be NULL. */
	const struct oci_config *(*base)(void *ctx, size_t stage);
	void *ctx;
};

/* Look.  Everything lives in a.  Errors: ERR_USAGE for a check directive that names no rule. */
int lint_run(const struct lint_input *in, struct arena *a, struct lint *out, struct err *e);

/* Names of all rules, NULL at the end. */
extern const char *const lint_rules[];

#endif

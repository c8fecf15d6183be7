/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages - the graph in a Dockerfile: which stages there are, what each one stands on and takes
 * files from, and which of them the target needs, in an order in which they can be built.
 *
 * A name after FROM, COPY --from or RUN --mount=from= is a stage's if there is one of that name
 * (letters' case does not count) or number, else an image's.  FROM sees only stages before it;
 * files may come from any stage, as long as there is no circle.
 */
#ifndef BUILD_STAGES_H
#define BUILD_STAGES_H

#include "build/scope.h"
#include "fmt/dockerfile.h"

#include <stdbool.h>
#include <stddef.h>

#define STAGES_MAX 1000

struct stages_one {
	const char *name;  /* in small letters, NULL without AS */
	const char *title; /* for messages: the name, or "stage-0" */
	const struct dockerfile_instr *from;
	const struct dockerfile_instr *v; /* what follows FROM */
	size_t n;
	const char *base;     /* image name, "scratch"; NULL when it stands on a stage */
	int base_stage;	      /* or -1 */
	const char *platform; /* --platform with variables replaced, or NULL */
	int *needs;	      /* other stages, each once */
	size_t needs_n;
	bool needed; /* for the target */
};

struct stages {
	struct stages_one *v;
	size_t n;
	size_t target;
	size_t *order; /* the needed ones, each behind what it needs */
	size_t order_n;
	struct scope global; /* ARG before the first FROM */
	int line;	     /* of an error, for the report */
};

/* Make the graph.  target: a name or number, NULL for the last stage.  platform_args: TARGETARCH
 * and its like are among given.  Everything lives in a and borrows from f.  Errors: ERR_USAGE with
 * "name:line: ". out->line is set on failure as well. */
int stages_make(const struct dockerfile *f, const char *name, const char *target,
		struct scope_args *given, struct arena *a, struct stages *out, struct err *e);

/* The stage that a name means, -1 when it is an image's. */
int stages_find(const struct stages *s, const char *name);

/* VALUE of KEY in a list such as --mount's "type=cache,from=x", copied into a; NULL when it is not
 * there. */
const char *stages_field(const char *list, const char *key, struct arena *a);

#endif

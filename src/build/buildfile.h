/* SPDX-License-Identifier: Apache-2.0 */
/* buildfile - what a build is given: the context's directory, its Dockerfile and .dockerignore. */
#ifndef BUILD_BUILDFILE_H
#define BUILD_BUILDFILE_H

#include "fmt/dockerignore.h"

#include <stdint.h>

struct treesource_context;

struct buildfile {
	int context_fd;	     /* borrowed */
	const char *context; /* as typed */
	int64_t time;	     /* that all of its files have, or 0 */
	const char *name;    /* of the Dockerfile, for errors */
	const char *text;
	size_t len;
	struct dockerignore
	    ignore; /* NAME.dockerignore beside the Dockerfile, else .dockerignore */
};

/* file: as builder_opts has it; of a context that is not a directory of this machine it is a file
 * in there.  Strings live in a.  Errors: ERR_NOT_FOUND, ERR_USAGE, ERR_LIMIT. */
int buildfile_open(struct buildfile *b, const struct treesource_context *c, const char *context,
		   const char *file, struct arena *a, struct err *e);
/* Only the list of what does not count, as another context has it. */
int buildfile_ignore(int dir, struct arena *a, struct dockerignore *out, struct err *e);

/* Seconds: of the context's last commit where it is a git work tree, else of its newest file. */
int buildfile_epoch(const struct buildfile *b, char *const *environment, int64_t *out,
		    struct err *e);

/* The lines around one, numbered, that one marked; NULL when there is no such line. */
const char *buildfile_excerpt(const struct buildfile *b, int line, struct arena *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerignore - which files of a build context are left out.
 *
 * One pattern a line, '#' in the first column is a comment, '!' takes back what an earlier line
 * left out; the last line that matches a path, or one of the directories it is in, decides.
 * Patterns are cleaned as paths (a leading '/', "./" and "a/../" mean nothing) and matched as
 * fmt/glob.h says. Source: the Dockerfile reference, ".dockerignore file", and what its matcher
 * does where that is silent.
 */
#ifndef FMT_DOCKERIGNORE_H
#define FMT_DOCKERIGNORE_H

#include "fmt/glob.h"

#include <stdbool.h>
#include <stddef.h>

#define DOCKERIGNORE_MAX	  (1 << 20) /* bytes of the file */
#define DOCKERIGNORE_PATTERNS_MAX 10000

struct dockerignore_rule {
	const char *pattern; /* cleaned, without '!' */
	struct glob glob;
	bool back; /* '!' */
};

struct dockerignore {
	struct dockerignore_rule *v;
	size_t n;
	bool any_back; /* without it, a directory that is left out need not be looked into */
};

/* Parse a file's text.  name stands in errors as "name:line: ".  Lives in a.  Errors: ERR_USAGE,
 * ERR_LIMIT. */
int dockerignore_parse(const char *text, size_t len, const char *name, struct arena *a,
		       struct dockerignore *out, struct err *e);

/* Add one pattern, as COPY --exclude=PATTERN does. */
int dockerignore_add(struct dockerignore *d, const char *pattern, struct arena *a, struct err *e);

/* Whether path ("a/b", no slash at either end, no "." in it) is left out. */
bool dockerignore_match(const struct dockerignore *d, const char *path);

/* Whether a directory that is left out must be read all the same, because something in it may be
 * taken back. */
bool dockerignore_enter(const struct dockerignore *d, const char *path);

#endif

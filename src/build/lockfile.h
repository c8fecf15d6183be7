/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lockfile - what names of a Dockerfile stood for when they were first built: images by digest, web
 * addresses by the digest of what was there, git references by commit (docs/formats/build-lock.md).
 *
 * A name that is in it means what it says; one that is not is added.  The file is replaced as a
 * whole, after a build that succeeded.
 */
#ifndef BUILD_LOCKFILE_H
#define BUILD_LOCKFILE_H

#include "fmt/jbind.h"

#include <stdbool.h>

struct arena;
struct err;

enum lockfile_kind { LOCKFILE_IMAGE, LOCKFILE_URL, LOCKFILE_GIT, LOCKFILE_KIND_MAX_ };

struct lockfile {
	const char *path; /* NULL: there is none, and all of this does nothing */
	bool note;	  /* without a file, too: somebody wants to know the pins */
	struct jbind_map pins[LOCKFILE_KIND_MAX_];
	struct arena *a;
	bool changed;
};

/* One that is not there yet is empty.  Errors: ERR_CORRUPT, ERR_UNSUPPORTED its version. */
int lockfile_read(struct lockfile *l, const char *path, struct arena *a, struct err *e);

/* The digest or commit, or NULL. */
const char *lockfile_find(const struct lockfile *l, enum lockfile_kind kind, const char *name);

void lockfile_add(struct lockfile *l, enum lockfile_kind kind, const char *name, const char *value);

/* Only when something was added. */
int lockfile_write(struct lockfile *l, struct err *e);

#endif

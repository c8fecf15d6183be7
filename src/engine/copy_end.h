/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_end - one end of a copy, as it is written: NAME (in the store), docker://NAME,
 * oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], dir:DIR.
 */
#ifndef ENGINE_COPY_END_H
#define ENGINE_COPY_END_H

#include "base/arena.h"
#include "fmt/reference.h"

struct err;

enum copy_kind {
	COPY_STORE,
	COPY_REGISTRY,
	COPY_OCI,
	COPY_OCI_ARCHIVE,
	COPY_DOCKER_ARCHIVE,
	COPY_DIR
};

struct copy_end {
	int kind;	       /* enum copy_kind */
	const char *text;      /* as typed */
	const char *path;      /* of files */
	const char *ref;       /* the store: name or id; files: tag or name, or NULL */
	struct reference name; /* of a registry */
};

int copy_end_parse(const char *text, struct arena *a, struct copy_end *out, struct err *e);
/* For caisson-fetch. */
const char *copy_end_transport(const struct copy_end *end);
/* What a registry is asked for: tag or digest. */
const char *copy_end_tag(const struct copy_end *end);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_to - the other end of a copy: a registry, a layout, a directory, an archive.
 *
 * Blobs first, then the documents that name them, the one that was asked for last; an archive is
 * written beside its name and gets it when all of it is there.  A layout or directory that holds
 * other images keeps them.
 */
#ifndef ENGINE_COPY_TO_H
#define ENGINE_COPY_TO_H

#include "engine/copy_end.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copy_to;
struct stage;
struct store;

struct copy_to_opts {
	const struct copy_end *end;
	const char *from; /* repository of the same registry that has the blobs, or NULL */
};
int copy_to_open(struct store *s, struct stage *stage, const struct copy_to_opts *o,
		 struct copy_to **out, struct err *e);

/* 1: it is there already. */
int copy_to_have(struct copy_to *t, const char *digest, uint64_t size, struct err *e);
int copy_to_blob(struct copy_to *t, const char *digest, uint64_t size, int file,
		 void (*report)(void *arg, uint64_t sent), void *arg, struct err *e);

struct copy_to_doc {
	const char *text, *digest, *media_type;
	size_t len;
	bool top; /* the one that was asked for; the others belong to it */
};
int copy_to_manifest(struct copy_to *t, const struct copy_to_doc *d, struct err *e);
/* All came. */
int copy_to_finish(struct copy_to *t, struct err *e);
void copy_to_close(struct copy_to *t);

#endif

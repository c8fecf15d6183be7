/* SPDX-License-Identifier: Apache-2.0 */
/* copy_from - one end of a copy: where documents and blobs come from, byte for byte. */
#ifndef ENGINE_COPY_FROM_H
#define ENGINE_COPY_FROM_H

#include "engine/copy_end.h"
#include "engine/image_fetch.h"

#include <stdbool.h>

struct copy_from;
struct stage;
struct store;

/* whole: of the store an image for several platforms with all of them, which must be there.
 * ERR_NOT_FOUND, ERR_USAGE. */
int copy_from_open(struct store *s, struct stage *stage, const struct copy_end *end, bool whole,
		   struct copy_from **out, struct err *e);
void copy_from_close(struct copy_from *f);

/* What the end's reference stands for (digest NULL), or a document inside it. */
int copy_from_manifest(struct copy_from *f, const char *digest, struct arena *a,
		       struct image_fetch_doc *out, struct err *e);
/* A descriptor of the blob's bytes: size and digest were checked.  report: now and then. */
int copy_from_blob(struct copy_from *f, const char *digest, uint64_t size,
		   void (*report)(void *arg, uint64_t got), void *arg, struct err *e);

#endif

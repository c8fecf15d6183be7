/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why - what went into a step, by names people know, kept beside its cache entry: so that the next
 * miss can be explained by what has changed.
 *
 * Only names and the beginnings of digests are kept, never values: an ARG may hold what nobody else
 * should see.  The form: docs/formats/store.md, "cache/build/<key>.why".
 */
#ifndef BUILD_WHY_H
#define BUILD_WHY_H

#include "base/buf.h"

#include <stddef.h>

struct arena;
struct err;
struct store;
struct strs;

#define WHY_MAX (64u << 20) /* bytes of one; a step with more to tell keeps none */

struct why {
	struct buf text;
};

/* place: where the step stands, the same in the next build.  step: its instruction. */
void why_begin(struct why *w, const char *place, const char *step);
void why_add(struct why *w, const char *name, const void *data, size_t len);
void why_text(struct why *w, const char *name, const char *text); /* NULL: it is not given */
/* KEY=VALUE each, as "kind KEY". */
void why_each(struct why *w, const char *kind, const struct strs *l);
void why_done(struct why *w);

/* Keep it as what made the cache entry. */
int why_keep(const struct why *w, struct store *s, const char *key, struct err *e);

/* Why there is no entry of this key: against the newest step at its place, else the newest with its
 * instruction.  Lives in a. */
const char *why_explain(const struct why *w, struct store *s, const char *key, struct arena *a);

#endif

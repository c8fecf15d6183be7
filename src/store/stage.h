/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage - where something is made before it is published by rename.
 *
 * A directory of its own under tmp/, held by a flock on itself.  Whatever lies in tmp/ without a
 * lock is garbage of a command that died, and is swept by the next one that stages.  A lease is an
 * empty file here that names a blob or layer: garbage collection spares what a live stage has
 * leased.
 */
#ifndef STORE_STAGE_H
#define STORE_STAGE_H

#include <stdbool.h>

struct err;
struct stage;
struct store;

int stage_new(struct store *s, struct stage **out, struct err *e);
void stage_free(struct stage *st); /* removes the directory */
int stage_fd(const struct stage *st);
/* Beneath the root: "tmp/...". */
const char *stage_path(const struct stage *st);

/* Whether the command that made the stage at this path still has it. */
bool stage_lives(const struct store *s, const char *path);

enum stage_kind { STAGE_BLOB, STAGE_LAYER, STAGE_META, STAGE_KIND_MAX_ };

/* Keep kind/hex from collection until stage_free().  Ask whether the thing exists only afterwards,
 * and hold STORE_SHARED over both. */
int stage_lease(struct stage *st, enum stage_kind kind, const char *hex, struct err *e);

/* Is it leased by any live stage?  Called by collection, under STORE_EXCLUSIVE. */
bool stage_leased(struct store *s, enum stage_kind kind, const char *hex);

/* Remove what dead commands left.  Never fails loudly: what cannot go now goes next time. */
void stage_sweep(struct store *s);

#endif

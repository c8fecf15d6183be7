/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirrors - a repository that is kept in several places, asked one after the other.
 *
 * The first place that has the manifest is asked for its blobs first; what a place does not bring
 * whole the next ones go on with (blobs by Range).  Whatever comes is checked by digest as ever, so
 * a mirror can withhold, not change; only what a tag stands for is its to say.
 */
#ifndef REGISTRY_MIRRORS_H
#define REGISTRY_MIRRORS_H

#include <stddef.h>

struct source;

struct mirrors_place {
	struct source *source; /* taken over */
	int only;	       /* enum registries_for */
};

/* The last place is the registry itself: its word on what went wrong is the answer. */
struct source *mirrors_new(const struct mirrors_place *places, size_t n);

#endif

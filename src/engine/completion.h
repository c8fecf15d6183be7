/* SPDX-License-Identifier: Apache-2.0 */
/* completion - the names that a shell offers: instances, images, networks, volumes. */
#ifndef ENGINE_COMPLETION_H
#define ENGINE_COMPLETION_H

#include "base/arena.h"

struct err;
struct session;

/* kind: "instance", "image", "network", "volume"; others have no names.  Strings live in a. */
int completion_names(struct session *s, const char *kind, struct arena *a, struct strs *out,
		     struct err *e);

#endif

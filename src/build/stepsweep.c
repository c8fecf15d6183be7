/* SPDX-License-Identifier: Apache-2.0 */
#include "build/stepsweep.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/str.h"
#include "engine/remove.h"
#include "store/instance.h"
#include "store/stage.h"
#include "store/store.h"

#include <stddef.h>

struct sweep {
	struct session *s;
	struct store *store;
};

static int look_at(const char *id, void *arg)
{
	const struct sweep *w = arg;
	auto_arena struct arena a = ARENA_INIT;
	const char *build = NULL;
	struct instance i;

	if (instance_load(store_root_fd(w->store), id, &a, &i, NULL) < 0)
		return 0;
	for (size_t k = 0; k < i.labels.n && !build; k++)
		build = str_after(i.labels.v[k], STEPSWEEP_LABEL "=");
	if (build && !stage_lives(w->store, build))
		remove_instance(w->s, &i, REMOVE_FORCE | REMOVE_VOLUMES, NULL);
	return 0;
}

void stepsweep(struct session *s, struct store *store)
{
	struct sweep w = {s, store};

	instance_each(store_root_fd(store), look_at, &w, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* registries_conf - whatever it says, there is a place to ask or a reason why not, and a blocked
 * registry is not one. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/registries_conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct registries_conf c;
	auto_arena struct arena a = ARENA_INIT;
	struct registries_targets t;
	struct err e = ERR_INIT;

	c = (struct registries_conf){0};
	if (registries_conf_add(&c, (const char *)data, size, "x", &a, &e) < 0) {
		if (e.kind == ERR_NONE || c.n)
			abort();
		return 0;
	}
	for (size_t i = 0; i < c.n; i++)
		if (!c.v[i]->prefix)
			abort();
	if (registries_conf_find(&c, "docker.io", "library/debian", &a, &t, &e) < 0) {
		if (e.kind == ERR_NONE)
			abort();
		return 0;
	}
	if (!t.n || !*t.v[t.n - 1].host || !*t.v[t.n - 1].repository)
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/registry_ctl.h"
#include "engine/session.h"

#include <stdio.h>

static const struct opt rm_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct store *store;
	int r = session_store(s, &store, e);

	for (int i = 0; r >= 0 && i < argc; i++) {
		const char *removed;

		r = registry_ctl_remove(store, argv[i], &a, &removed, e);
		if (r >= 0)
			printf("%s\n", removed);
	}
	return r;
}

extern const struct cmd cmd_registry_rm;
const struct cmd cmd_registry_rm = {
    .name = "registry rm",
    .group = "registries",
    .operands = "IMAGE...",
    .summary = "remove images from a registry",
    .opts = rm_opts,
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

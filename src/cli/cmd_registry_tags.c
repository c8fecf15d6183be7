/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/registry_ctl.h"
#include "engine/session.h"

#include <stdio.h>

static const struct opt tags_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs tags;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = registry_ctl_tags(store, argv[0], &a, &tags, e);
	for (size_t i = 0; r >= 0 && i < tags.n; i++)
		printf("%s\n", tags.v[i]);
	return r;
}

extern const struct cmd cmd_registry_tags;
const struct cmd cmd_registry_tags = {
    .name = "registry tags",
    .group = "registries",
    .operands = "REPOSITORY",
    .summary = "list the tags of a repository",
    .opts = tags_opts,
    .operands_min = 1,
    .operands_max = 1,
    .aliases = (const char *const[]){"image tags", "registry ls", NULL},
    .run = run,
};

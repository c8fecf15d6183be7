/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/lookup.h"
#include "engine/rename.h"

static const struct opt rename_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int r = lookup_find(s, argv[0], &a, &l, e);

	return r < 0 ? r : rename_instance(s, &l, argv[1], e);
}

extern const struct cmd cmd_rename;
const struct cmd cmd_rename = {
    .name = "rename",
    .group = "instances",
    .operands = "INSTANCE NAME",
    .summary = "give an instance another name",
    .opts = rename_opts,
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};

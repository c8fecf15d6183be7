/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/snapshot_ctl.h"

#include <stdbool.h>

struct snapshot_restore_args {
	bool force;
};

static const struct opt snapshot_restore_opts[] = {
    OPT(struct snapshot_restore_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "kill the instance first when it runs"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct snapshot_restore_args *ra = args;
	auto_arena struct arena a = ARENA_INIT;
	const char *name;
	int r = snapshot_ctl_restore(s, argv[0], ra->force, &a, &name, e);

	if (r < 0)
		return r;
	each_print(name);
	return 0;
}

extern const struct cmd cmd_snapshot_restore;
const struct cmd cmd_snapshot_restore = {
    .name = "snapshot restore",
    .group = "snapshots",
    .operands = "SNAPSHOT",
    .summary = "make an instance what it was",
    .opts = snapshot_restore_opts,
    .args_size = sizeof(struct snapshot_restore_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

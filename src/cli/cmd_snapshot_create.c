/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/snapshot_ctl.h"
#include "engine/snapshot_take.h"

#include <stdbool.h>
#include <stdio.h>

struct snapshot_create_args {
	const char *name;
	int memory;
	bool quiet;
};

static const struct opt snapshot_create_opts[] = {
    OPT(struct snapshot_create_args, memory, .name = "memory", .type = OPT_ENUM,
	.values = snapshot_take_memory, .arg = "auto|on|off", .preset = "auto",
	.help = "save what runs, too: where it can be, always, or never"),
    OPT(struct snapshot_create_args, name, .name = "name", .type = OPT_STR, .arg = "NAME",
	.help = "what the snapshot is called"),
    OPT(struct snapshot_create_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "do not say how long the instance stood still"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct snapshot_create_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct snapshot_create c = {.instance = argv[0], .name = ca->name, .memory = ca->memory};
	int64_t pause_ns = 0;
	const char *name;
	int r = snapshot_ctl_create(s, &c, &a, &name, &pause_ns, e);

	if (r < 0)
		return r;
	each_print(name);
	if (pause_ns && !ca->quiet)
		fprintf(stderr, "caisson: it stood still for %.1f ms\n", (double)pause_ns / 1e6);
	return 0;
}

extern const struct cmd cmd_snapshot_create;
const struct cmd cmd_snapshot_create = {
    .name = "snapshot create",
    .group = "snapshots",
    .operands = "INSTANCE",
    .summary = "save what an instance is now",
    .opts = snapshot_create_opts,
    .args_size = sizeof(struct snapshot_create_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

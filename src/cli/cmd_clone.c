/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/clone.h"
#include "engine/snapshot_take.h"

#include <stdint.h>

struct clone_args {
	const char *name;
	int64_t number;
	int memory;
};

static const struct opt clone_opts[] = {
    OPT(struct clone_args, memory, .name = "memory", .type = OPT_ENUM,
	.values = snapshot_take_memory, .arg = "auto|on|off", .preset = "auto",
	.help = "of an instance: with what runs, where it can be, always, or never"),
    OPT(struct clone_args, name, .name = "name", .type = OPT_STR, .arg = "NAME",
	.help = "what it is called; with several NAME-1, NAME-2 ..."),
    OPT(struct clone_args, number, .name = "number", .letter = 'n', .type = OPT_INT, .arg = "N",
	.min = 1, .max = CLONE_MAX, .preset = "1", .help = "how many"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct clone_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct clone_request q = {
	    .source = argv[0], .name = ca->name, .count = (int)ca->number, .memory = ca->memory};
	struct strs names = {0};
	int r = clone_run(s, &q, &a, &names, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++)
		each_print(names.v[i]);
	return 0;
}

extern const struct cmd cmd_clone;
const struct cmd cmd_clone = {
    .name = "clone",
    .group = "snapshots",
    .operands = "INSTANCE|SNAPSHOT",
    .summary = "make instances that begin as another one is, or was",
    .opts = clone_opts,
    .args_size = sizeof(struct clone_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/lookup.h"
#include "engine/wait.h"

#include <stdio.h>

struct wait_args {
	int condition;
};

static const struct opt wait_opts[] = {
    OPT(struct wait_args, condition, .name = "condition", .type = OPT_ENUM, .arg = "WHAT",
	.values = wait_condition_names, .preset = "not-running",
	.help = "what to wait for: not-running, next-exit or removed"),
    OPT_END,
};

static int wait_one(struct session *s, const char *what, int condition, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int64_t code;
	int r = lookup_find(s, what, &a, &l, e);

	if (r == 0)
		r = wait_instance(s, &l.i, (enum wait_condition)condition, &code, e);
	if (r == 0)
		printf("%lld\n", (long long)code);
	return r;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct wait_args *a = args;
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (wait_one(s, argv[i], a->condition, &why) < 0) {
			each_failed(&why);
			failed = 1;
		}
		fflush(stdout);
	}
	return failed;
}

extern const struct cmd cmd_wait;
const struct cmd cmd_wait = {
    .name = "wait",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "wait until instances have ended and print their exit codes",
    .opts = wait_opts,
    .args_size = sizeof(struct wait_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

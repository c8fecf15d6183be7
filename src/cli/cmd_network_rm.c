/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/network_ctl.h"

#include <errno.h>
#include <stdio.h>

struct network_rm_args {
	bool force;
};

static const struct opt network_rm_opts[] = {
    OPT(struct network_rm_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "what does not exist is no error"),
    OPT_END,
};

static int one(struct session *s, const char *what, bool force, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct network n;
	int r = network_ctl_find(s, what, &a, &n, e);

	if (r == 0)
		r = network_ctl_remove(s, &n, e);
	if (r == -ENOENT && force)
		return 0;
	if (r == 0)
		each_print(what);
	return r;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_rm_args *ra = args;
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (one(s, argv[i], ra->force, &why) < 0) {
			fflush(stdout);
			each_failed(&why);
			failed = 1;
		}
	}
	return failed;
}

static const char *const aliases[] = {"network remove", NULL};

extern const struct cmd cmd_network_rm;
const struct cmd cmd_network_rm = {
    .name = "network rm",
    .group = "networks",
    .operands = "NETWORK...",
    .summary = "remove networks that no running instance is attached to",
    .opts = network_rm_opts,
    .args_size = sizeof(struct network_rm_args),
    .aliases = aliases,
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

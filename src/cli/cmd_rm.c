/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/lookup.h"
#include "engine/remove.h"

#include <stdbool.h>

struct rm_args {
	bool force, volumes;
};

static const struct opt rm_opts[] = {
    OPT(struct rm_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "kill running ones first; what does not exist is no error"),
    OPT(struct rm_args, volumes, .name = "volumes", .letter = 'v', .type = OPT_BOOL,
	.help = "remove their anonymous volumes too"),
    OPT_END,
};

static int remove_one(struct session *s, struct lookup *l, const void *arg, struct err *e)
{
	return remove_instance(s, &l->i, *(const unsigned int *)arg, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct rm_args *a = args;
	unsigned int flags = (a->force ? REMOVE_FORCE : 0u) | (a->volumes ? REMOVE_VOLUMES : 0u);
	int r = a->force ? each_instance_there(s, argc, argv, remove_one, &flags)
			 : each_instance(s, argc, argv, remove_one, &flags);

	remove_leftovers(s, NULL);
	return r;
}

extern const struct cmd cmd_rm;
const struct cmd cmd_rm = {
    .name = "rm",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "remove instances with everything kept for them",
    .opts = rm_opts,
    .args_size = sizeof(struct rm_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

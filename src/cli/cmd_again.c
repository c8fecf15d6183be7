/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/restart.h"

static const struct opt again_opts[] = {OPT_END};

/* What a monitor becomes when a restart policy starts its instance again. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	return restart_owed(s, argv[0], e);
}

extern const struct cmd cmd_again;
const struct cmd cmd_again = {
    .name = "__again",
    .operands = "ID",
    .summary = "start an instance again",
    .opts = again_opts,
    .operands_min = 1,
    .operands_max = 1,
    .flags = CMD_HIDDEN,
    .run = run,
};

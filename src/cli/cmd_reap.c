/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/remove.h"

static const struct opt reap_opts[] = {OPT_END};

/* What a monitor becomes when its instance has ended and nobody else clears up. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	return remove_ended(s, argv[0], 0, e);
}

extern const struct cmd cmd_reap;
const struct cmd cmd_reap = {
    .name = "__reap",
    .operands = "ID",
    .summary = "clear up after an instance",
    .opts = reap_opts,
    .operands_min = 1,
    .operands_max = 1,
    .flags = CMD_HIDDEN,
    .run = run,
};

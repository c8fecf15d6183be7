/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/rootless.h"
#include "engine/session.h"

static const struct opt hold_opts[] = {OPT_END};

/* The process that keeps an ordinary user's namespaces for the commands that follow. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	return rootless_hold(s->run_root, e);
}

extern const struct cmd cmd_hold;
const struct cmd cmd_hold = {
    .name = "__hold",
    .operands = "",
    .summary = "keep the user namespace of an ordinary user's engine",
    .opts = hold_opts,
    .flags = CMD_HIDDEN,
    .run = run,
};

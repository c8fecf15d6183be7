/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/godown.h"
#include "engine/remove.h"
#include "engine/restart.h"
#include "spec/record.h"

#include <stdbool.h>
#include <stdio.h>

struct system_boot_args {
	bool down;
};

static const struct opt system_boot_opts[] = {
    OPT(struct system_boot_args, down, .name = "down", .type = OPT_BOOL,
	.help = "the host goes down: stop what runs, the next boot starts it again"),
    OPT_END,
};

static void failed(const struct instance *i, const struct err *why)
{
	fprintf(stderr, "caisson: %s: %s\n", i->name, why->msg);
}

/* One that cannot be started is told and is no failure of the boot. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct system_boot_args *a = args;

	/* No sweep: it would start what is owed a start. */
	if (a->down)
		return godown_all(s, e);
	remove_leftovers(s, NULL);
	return restart_boot(s, failed, e);
}

extern const struct cmd cmd_system_boot;
const struct cmd cmd_system_boot = {
    .name = "system boot",
    .group = "system",
    .operands = "",
    .summary = "start the instances that a restart policy wants to run",
    .opts = system_boot_opts,
    .args_size = sizeof(struct system_boot_args),
    .run = run,
};

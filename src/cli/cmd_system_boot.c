/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/remove.h"
#include "engine/restart.h"
#include "spec/record.h"

#include <stdio.h>

static const struct opt system_boot_opts[] = {OPT_END};

static void failed(const struct instance *i, const struct err *why)
{
	fprintf(stderr, "caisson: %s: %s\n", i->name, why->msg);
}

/* One that cannot be started is told and is no failure of the boot. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
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
    .run = run,
};

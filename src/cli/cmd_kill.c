/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/conn.h"
#include "engine/lookup.h"
#include "engine/request.h"

struct kill_args {
	const char *signal;
};

static const struct opt kill_opts[] = {
    OPT(struct kill_args, signal, .name = "signal", .letter = 's', .type = OPT_STR, .arg = "SIGNAL",
	.preset = "KILL", .help = "signal by name or number"),
    OPT_END,
};

static int deliver(struct session *s, struct lookup *l, const void *arg, struct err *e)
{
	if (l->state.status != INSTANCE_RUNNING && l->state.status != INSTANCE_PAUSED)
		return err_set(e, ERR_CONFLICT, "cannot kill instance '%s': it is not running",
			       l->i.name);
	return conn_signal(s, l->i.id, *(const int *)arg, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kill_args *a = args;
	int sig = request_signal(a->signal, e);

	return sig < 0 ? sig : each_instance(s, argc, argv, deliver, &sig);
}

extern const struct cmd cmd_kill;
const struct cmd cmd_kill = {
    .name = "kill",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "send a signal to running instances",
    .opts = kill_opts,
    .args_size = sizeof(struct kill_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

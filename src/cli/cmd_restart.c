/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/conn.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/restart.h"

struct restart_args {
	int64_t time;
	const char *signal;
};

#define OWN -2

static const struct opt restart_opts[] = {
    OPT(struct restart_args, signal, .name = "signal", .letter = 's', .type = OPT_STR,
	.arg = "SIGNAL", .help = "signal to send first, instead of the instance's own"),
    OPT(struct restart_args, time, .name = "time", .letter = 't', .type = OPT_INT, .arg = "SECONDS",
	.min = OWN, .max = 1 << 30, .preset = "-2",
	.help = "time before SIGKILL, -1 for never, -2 for the instance's own"),
    OPT_END,
};

static int one(struct session *s, struct lookup *l, const void *arg, struct err *e)
{
	return restart_instance(s, l, arg, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct restart_args *a = args;
	struct control_stop how = {0};

	if (a->time != OWN)
		how.timeout_ms = (struct jbind_optint){true, a->time < 0 ? -1 : a->time * 1000};
	if (a->signal) {
		int sig = request_signal(a->signal, e);

		if (sig < 0)
			return sig;
		how.signal = sig;
	}
	return each_instance(s, argc, argv, one, &how);
}

extern const struct cmd cmd_restart;
const struct cmd cmd_restart = {
    .name = "restart",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "stop instances and start them again",
    .opts = restart_opts,
    .args_size = sizeof(struct restart_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

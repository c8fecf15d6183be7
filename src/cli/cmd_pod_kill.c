/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/podverb.h"
#include "engine/request.h"
#include "spec/control.h"

#include <stdbool.h>

struct pod_kill_args {
	bool all;
	const char *signal;
};

static const struct opt pod_kill_opts[] = {
    OPT(struct pod_kill_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every pod"),
    OPT(struct pod_kill_args, signal, .name = "signal", .letter = 's', .type = OPT_STR,
	.arg = "SIGNAL", .preset = "KILL", .help = "signal by name or number"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_kill_args *pa = args;
	struct control_stop how = {0};
	const struct podverb v = {.all = pa->all, .verb = POD_CTL_KILL, .how = &how};
	int sig = request_signal(pa->signal, e);

	if (sig < 0)
		return sig;
	how.signal = sig;

	return podverb_run(s, &v, argc, argv, e);
}

extern const struct cmd cmd_pod_kill;
const struct cmd cmd_pod_kill = {
    .name = "pod kill",
    .group = "pods",
    .operands = "[POD...]",
    .summary = "send a signal to all that runs in pods",
    .opts = pod_kill_opts,
    .args_size = sizeof(struct pod_kill_args),
    .operands_max = -1,
    .run = run,
};

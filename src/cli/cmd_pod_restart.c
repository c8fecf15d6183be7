/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/podverb.h"
#include "spec/control.h"

#include <stdbool.h>

struct pod_restart_args {
	bool all;
	int64_t time;
};

static const struct opt pod_restart_opts[] = {
    OPT(struct pod_restart_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every pod"),
    OPT(struct pod_restart_args, time, .name = "time", .letter = 't', .type = OPT_INT,
	.arg = "SECONDS", .min = -2, .max = 1 << 30, .preset = "-2",
	.help = "before it kills; 0: at once, -1: never, -2: as each was made"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_restart_args *pa = args;
	const struct control_stop how = podverb_stop(pa->time);
	const struct podverb v = {.all = pa->all, .verb = POD_CTL_RESTART, .how = &how};

	return podverb_run(s, &v, argc, argv, e);
}

extern const struct cmd cmd_pod_restart;
const struct cmd cmd_pod_restart = {
    .name = "pod restart",
    .group = "pods",
    .operands = "[POD...]",
    .summary = "stop pods and start them again",
    .opts = pod_restart_opts,
    .args_size = sizeof(struct pod_restart_args),
    .operands_max = -1,
    .run = run,
};

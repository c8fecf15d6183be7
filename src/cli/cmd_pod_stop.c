/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/podverb.h"
#include "spec/control.h"

#include <stdbool.h>

struct pod_stop_args {
	bool all, ignore;
	const char *id_file;
	int64_t time;
};

static const struct opt pod_stop_opts[] = {
    OPT(struct pod_stop_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every pod"),
    OPT(struct pod_stop_args, ignore, .name = "ignore", .letter = 'i', .type = OPT_BOOL,
	.help = "one that is not there is no error"),
    OPT(struct pod_stop_args, id_file, .name = "pod-id-file", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "and the pod whose id stands in it"),
    OPT(struct pod_stop_args, time, .name = "time", .letter = 't', .type = OPT_INT,
	.arg = "SECONDS", .min = -2, .max = 1 << 30, .preset = "-2",
	.help = "before it kills; 0: at once, -1: never, -2: as each was made"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_stop_args *pa = args;
	const struct control_stop how = podverb_stop(pa->time);
	const struct podverb v = {.all = pa->all,
				  .verb = POD_CTL_STOP,
				  .id_file = pa->id_file,
				  .ignore = pa->ignore,
				  .how = &how};

	return podverb_run(s, &v, argc, argv, e);
}

extern const struct cmd cmd_pod_stop;
const struct cmd cmd_pod_stop = {
    .name = "pod stop",
    .group = "pods",
    .operands = "[POD...]",
    .summary = "stop pods with all that is in them",
    .opts = pod_stop_opts,
    .args_size = sizeof(struct pod_stop_args),
    .operands_max = -1,
    .run = run,
};

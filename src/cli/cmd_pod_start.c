/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/podverb.h"

#include <stdbool.h>

struct pod_start_args {
	bool all;
	const char *id_file;
};

static const struct opt pod_start_opts[] = {
    OPT(struct pod_start_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every pod"),
    OPT(struct pod_start_args, id_file, .name = "pod-id-file", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "and the pod whose id stands in it"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_start_args *pa = args;
	const struct podverb v = {.all = pa->all, .verb = POD_CTL_START, .id_file = pa->id_file};

	return podverb_run(s, &v, argc, argv, e);
}

extern const struct cmd cmd_pod_start;
const struct cmd cmd_pod_start = {
    .name = "pod start",
    .group = "pods",
    .operands = "[POD...]",
    .summary = "start pods with all that is in them",
    .opts = pod_start_opts,
    .args_size = sizeof(struct pod_start_args),
    .operands_max = -1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/podverb.h"

#include <stdbool.h>

struct pod_unpause_args {
	bool all;
};

static const struct opt pod_unpause_opts[] = {
    OPT(struct pod_unpause_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every pod"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_unpause_args *pa = args;
	const struct podverb v = {.all = pa->all, .verb = POD_CTL_UNPAUSE};

	return podverb_run(s, &v, argc, argv, e);
}

extern const struct cmd cmd_pod_unpause;
const struct cmd cmd_pod_unpause = {
    .name = "pod unpause",
    .group = "pods",
    .operands = "[POD...]",
    .summary = "let frozen pods go on",
    .opts = pod_unpause_opts,
    .args_size = sizeof(struct pod_unpause_args),
    .operands_max = -1,
    .run = run,
};

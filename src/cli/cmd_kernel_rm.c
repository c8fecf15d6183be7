/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/kernel_ctl.h"

#include <stdio.h>

struct kernel_rm_args {
	int unused;
};

static const struct opt kernel_rm_opts[] = {
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (kernel_ctl_remove(s, argv[i], &why) < 0) {
			each_failed(&why);
			failed = 1;
		} else {
			each_print(argv[i]);
		}
	}
	return failed;
}

extern const struct cmd cmd_kernel_rm;
const struct cmd cmd_kernel_rm = {
    .name = "kernel rm",
    .group = "kernels of machines",
    .operands = "KERNEL...",
    .summary = "remove kernels that were added or built",
    .opts = kernel_rm_opts,
    .args_size = sizeof(struct kernel_rm_args),
    .operands_min = 1,
    .operands_max = -1,
    .aliases = (const char *const[]){"kernel remove", NULL},
    .run = run,
};

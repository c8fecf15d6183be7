/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/kernel_ctl.h"

#include <stdbool.h>

struct kernel_default_args {
	bool reset;
};

static const struct opt kernel_default_opts[] = {
    OPT(struct kernel_default_args, reset, .name = "reset", .type = OPT_BOOL,
	.help = "the newest of the installation again"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kernel_default_args *ka = args;

	if (ka->reset == (argc > 0))
		return err_set(e, ERR_USAGE, "either a KERNEL or --reset");
	return kernel_ctl_default(s, ka->reset ? NULL : argv[0], e);
}

extern const struct cmd cmd_kernel_default;
const struct cmd cmd_kernel_default = {
    .name = "kernel default",
    .group = "kernels of machines",
    .operands = "[KERNEL]",
    .summary = "choose the kernel of vms that start from now on",
    .opts = kernel_default_opts,
    .args_size = sizeof(struct kernel_default_args),
    .operands_max = 1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/kernel_ctl.h"

#include <stdbool.h>

struct kernel_add_args {
	const char *name;
	bool no_acpi;
};

static const struct opt kernel_add_opts[] = {
    OPT(struct kernel_add_args, name, .name = "name", .type = OPT_STR, .arg = "NAME",
	.help = "what it is called; a directory says it itself"),
    OPT(struct kernel_add_args, no_acpi, .name = "no-acpi", .type = OPT_BOOL,
	.help = "it finds its devices on its command line"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kernel_add_args *ka = args;

	return kernel_ctl_add(s, argv[0], ka->name, !ka->no_acpi, e);
}

extern const struct cmd cmd_kernel_add;
const struct cmd cmd_kernel_add = {
    .name = "kernel add",
    .group = "kernels of machines",
    .operands = "PATH",
    .summary = "keep a copy of a kernel for vms",
    .opts = kernel_add_opts,
    .args_size = sizeof(struct kernel_add_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

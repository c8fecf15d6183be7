/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pretty.h"
#include "engine/snapshot_ctl.h"

struct snapshot_inspect_args {
	const char *format;
};

static const struct opt snapshot_inspect_opts[] = {
    OPT(struct snapshot_inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct snapshot_inspect_args *ia = args;

	return pretty_each(s, argc, argv, ia->format, snapshot_ctl_inspect);
}

extern const struct cmd cmd_snapshot_inspect;
const struct cmd cmd_snapshot_inspect = {
    .name = "snapshot inspect",
    .group = "snapshots",
    .operands = "SNAPSHOT...",
    .summary = "what is known about snapshots, as JSON",
    .opts = snapshot_inspect_opts,
    .args_size = sizeof(struct snapshot_inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

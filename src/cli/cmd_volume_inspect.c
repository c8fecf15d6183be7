/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pretty.h"
#include "engine/volume_ctl.h"

struct volume_inspect_args {
	const char *format;
};

static const struct opt volume_inspect_opts[] = {
    OPT(struct volume_inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct volume_inspect_args *ia = args;

	return pretty_each(s, argc, argv, ia->format, volume_ctl_inspect);
}

extern const struct cmd cmd_volume_inspect;
const struct cmd cmd_volume_inspect = {
    .name = "volume inspect",
    .group = "volumes",
    .operands = "VOLUME...",
    .summary = "what is known about volumes, as JSON",
    .opts = volume_inspect_opts,
    .args_size = sizeof(struct volume_inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/archive.h"
#include "cli/cmd.h"
#include "engine/volume_data.h"

struct volume_export_args {
	const char *output;
};

static const struct opt volume_export_opts[] = {
    OPT(struct volume_export_args, output, .name = "output", .letter = 'o', .type = OPT_STR,
	.arg = "FILE", .complete = "file", .help = "write to this file instead of standard output"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct volume_export_args *ea = args;
	auto_fd int fd = archive_to(ea->output, e);
	int r;

	if (fd < 0)
		return fd;
	r = archive_end(ea->output, volume_data_export(s, argv[0], fd, e));
	return r < 0 ? err_wrap(e, r, "export") : 0;
}

extern const struct cmd cmd_volume_export;
const struct cmd cmd_volume_export = {
    .name = "volume export",
    .group = "volumes",
    .operands = "VOLUME",
    .summary = "write the files of a volume as a tar archive",
    .opts = volume_export_opts,
    .args_size = sizeof(struct volume_export_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

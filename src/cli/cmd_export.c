/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/archive.h"
#include "cli/cmd.h"
#include "engine/copy.h"

struct export_args {
	const char *output;
};

static const struct opt export_opts[] = {
    OPT(struct export_args, output, .name = "output", .letter = 'o', .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "write to this file instead of standard output"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct export_args *ea = args;
	auto_fd int fd = archive_to(ea->output, e);
	int r;

	if (fd < 0)
		return fd;
	r = archive_end(ea->output, copy_export(s, argv[0], fd, e));
	return r < 0 ? err_wrap(e, r, "export") : 0;
}

static const char *const aliases[] = {"container export", NULL};

extern const struct cmd cmd_export;
const struct cmd cmd_export = {
    .name = "export",
    .group = "instances",
    .operands = "INSTANCE",
    .summary = "write all files of an instance as a tar archive",
    .opts = export_opts,
    .args_size = sizeof(struct export_args),
    .operands_min = 1,
    .operands_max = 1,
    .aliases = aliases,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/volume_data.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

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
	auto_fd int fd = ea->output
			     ? open(ea->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
			     : dup(STDOUT_FILENO);
	int r;

	if (fd < 0)
		return err_sys(e, "'%s'", ea->output ? ea->output : "standard output");
	if (isatty(fd))
		return err_set(e, ERR_USAGE, "export writes an archive, not to a terminal");
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = volume_data_export(s, argv[0], fd, e);
	if (r < 0 && ea->output)
		unlink(ea->output); /* half an archive is none */
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

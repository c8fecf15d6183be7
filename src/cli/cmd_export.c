/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/copy.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

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
	auto_fd int fd = ea->output
			     ? open(ea->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
			     : dup(STDOUT_FILENO);
	int r;

	if (fd < 0)
		return err_sys(e, "'%s'", ea->output ? ea->output : "standard output");
	if (isatty(fd))
		return err_set(e, ERR_USAGE, "export writes an archive, not to a terminal");
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = copy_export(s, argv[0], fd, e);
	if (r < 0 && ea->output)
		unlink(ea->output); /* half an archive is none */
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

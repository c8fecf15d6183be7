/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "dashboard/dashboard.h"

#include <stdio.h>

struct dashboard_args {
	const char *listen;
};

static const struct opt dashboard_opts[] = {
    OPT(struct dashboard_args, listen, .name = "listen", .type = OPT_STR, .arg = "ADDRESS:PORT",
	.preset = "127.0.0.1:0", .help = "where, on loopback; port 0 is a free one"),
    OPT_END,
};

static void ready(const char *url, void *arg)
{
	printf("%s\n", url);
	fflush(stdout);
	fputs("whoever has this address may do what you may; Ctrl-C ends it\n", stderr);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct dashboard_args *da = args;
	struct dashboard_opts o = {.listen = da->listen, .ready = ready};

	return dashboard_run(s, &o, e);
}

extern const struct cmd cmd_dashboard;
const struct cmd cmd_dashboard = {
    .name = "dashboard",
    .group = "system",
    .operands = "",
    .summary = "a page in the browser: what runs, its curves, logs and a terminal",
    .opts = dashboard_opts,
    .args_size = sizeof(struct dashboard_args),
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

struct serve_args {
	const char *listen, *group;
	bool idle_exit, log, routes;
};

#define IDLE_SECONDS 10

static const struct opt serve_opts[] = {
    OPT(struct serve_args, group, .name = "group", .type = OPT_STR, .arg = "GROUP",
	.help = "let this group connect, too: its members become root by it"),
    OPT(struct serve_args, idle_exit, .name = "idle-exit", .type = OPT_BOOL,
	.help = "end when nobody was connected for ten seconds"),
    OPT(struct serve_args, listen, .name = "listen", .type = OPT_STR, .arg = "unix://PATH",
	.preset = "unix:///run/caisson.sock", .help = "where"),
    OPT(struct serve_args, log, .name = "log", .type = OPT_BOOL,
	.help = "write each request's route and status to stderr"),
    OPT(struct serve_args, routes, .name = "routes", .type = OPT_BOOL,
	.help = "only print what is served"),
    OPT_END,
};

static void ready(const char *listen, void *arg)
{
	const struct serve_args *sa = arg;

	if (sa->group)
		fprintf(stderr, "group '%s' may do through %s whatever root may\n", sa->group,
			listen);
	printf("%s\n", listen);
	fflush(stdout);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	struct serve_args sa = *(const struct serve_args *)args;
	struct api_opts o = {.listen = sa.listen,
			     .group = sa.group,
			     .leave_seconds = sa.idle_exit ? IDLE_SECONDS : 0,
			     .log = sa.log,
			     .ready = ready,
			     .arg = &sa};
	auto_buf struct buf b = BUF_INIT(1 << 20);

	if (!sa.routes)
		return api_run(s, &o, e);
	api_routes(&b);
	return fd_write_all(STDOUT_FILENO, b.p, b.len) < 0 ? 1 : 0;
}

extern const struct cmd cmd_serve;
const struct cmd cmd_serve = {
    .name = "serve",
    .group = "system",
    .operands = "",
    .summary = "let docker's clients in: its Engine API on a unix socket",
    .opts = serve_opts,
    .args_size = sizeof(struct serve_args),
    .run = run,
};

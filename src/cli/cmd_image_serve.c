/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "depot/depot.h"
#include "engine/session.h"

#include <stdio.h>

struct serve_args {
	const char *listen;
	bool push;
};

static const struct opt serve_opts[] = {
    OPT(struct serve_args, listen, .name = "listen", .type = OPT_STR, .arg = "ADDRESS:PORT",
	.preset = "127.0.0.1:5000", .help = "where, on loopback; port 0 is a free one"),
    OPT(struct serve_args, push, .name = "push", .type = OPT_BOOL,
	.help = "take uploads too: they become images here"),
    OPT_END,
};

static void ready(const char *address, void *arg)
{
	printf("%s\n", address);
	fflush(stdout);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct serve_args *sa = args;
	struct depot_opts o = {.listen = sa->listen, .push = sa->push, .ready = ready};
	struct store *store;
	int r = session_store(s, &store, e);

	return r < 0 ? r : depot_run(store, &o, e);
}

extern const struct cmd cmd_image_serve;
const struct cmd cmd_image_serve = {
    .name = "image serve",
    .group = "images",
    .operands = "",
    .summary = "let others pull from here: the store as a registry on loopback",
    .opts = serve_opts,
    .args_size = sizeof(struct serve_args),
    .run = run,
};

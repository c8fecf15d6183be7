/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/lookup.h"
#include "engine/network_ctl.h"
#include "engine/plug.h"

#include <errno.h>

struct network_disconnect_args {
	bool force;
};

static const struct opt network_disconnect_opts[] = {
    OPT(struct network_disconnect_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "an instance that is not on it, or does not exist, is no error"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_disconnect_args *da = args;
	auto_arena struct arena a = ARENA_INIT;
	struct network n;
	struct lookup l;
	int r = network_ctl_find(s, argv[0], &a, &n, e);

	if (r < 0)
		return r;
	r = lookup_find(s, argv[1], &a, &l, e);
	if (r == 0)
		r = plug_disconnect(s, &n, &l, e);
	return r == -ENOENT && da->force ? 0 : r;
}

extern const struct cmd cmd_network_disconnect;
const struct cmd cmd_network_disconnect = {
    .name = "network disconnect",
    .group = "networks",
    .operands = "NETWORK INSTANCE",
    .summary = "take an instance off a network",
    .opts = network_disconnect_opts,
    .args_size = sizeof(struct network_disconnect_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};

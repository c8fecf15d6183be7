/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "engine/prune.h"

#include <stdio.h>

struct network_prune_args {
	bool force;
	struct opt_list filter;
};

static const struct opt network_prune_opts[] = {
    OPT(struct network_prune_args, filter, .name = "filter", .type = OPT_LIST, .arg = "KEY=VALUE",
	.help = "only those made before until=TIME, with label=K[=V], without label!=K[=V]"),
    OPT(struct network_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_prune_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct prune_opts o = {.filters = {pa->filter.v, pa->filter.n}};
	struct prune_result done;
	int r = confirm_ask(pa->force, "network prune",
			    "all networks that no running instance is attached to", e);

	if (r <= 0)
		return r;
	r = prune_networks(s, &o, &a, &done, e);
	if (r < 0)
		return r;
	if (done.networks.n)
		printf("Deleted Networks:\n");
	for (size_t i = 0; i < done.networks.n; i++)
		printf("%s\n", done.networks.v[i]);
	return 0;
}

extern const struct cmd cmd_network_prune;
const struct cmd cmd_network_prune = {
    .name = "network prune",
    .group = "networks",
    .operands = "",
    .summary = "remove every network that no running instance is attached to",
    .opts = network_prune_opts,
    .args_size = sizeof(struct network_prune_args),
    .run = run,
};

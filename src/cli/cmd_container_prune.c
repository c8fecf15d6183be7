/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "cli/progress.h"
#include "engine/prune.h"

#include <stdio.h>

struct container_prune_args {
	bool force;
	struct opt_list filter;
};

static const struct opt container_prune_opts[] = {
    OPT(struct container_prune_args, filter, .name = "filter", .type = OPT_LIST, .arg = "KEY=VALUE",
	.help = "only those made before until=TIME, with label=K[=V], without label!=K[=V]"),
    OPT(struct container_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct container_prune_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct prune_opts o = {.filters = {pa->filter.v, pa->filter.n}};
	struct prune_result done;
	char size[16];
	int r = confirm_ask(pa->force, "container prune", "all instances that do not run", e);

	if (r <= 0)
		return r;
	r = prune_instances(s, &o, &a, &done, e);
	if (r < 0)
		return r;
	if (done.instances.n)
		printf("Deleted Containers:\n");
	for (size_t i = 0; i < done.instances.n; i++)
		printf("%s\n", done.instances.v[i]);
	printf("%sTotal reclaimed space: %s\n", done.instances.n ? "\n" : "",
	       progress_size(done.bytes, size));
	return 0;
}

extern const struct cmd cmd_container_prune;
const struct cmd cmd_container_prune = {
    .name = "container prune",
    .group = "instances",
    .operands = "",
    .summary = "remove every instance that does not run",
    .opts = container_prune_opts,
    .args_size = sizeof(struct container_prune_args),
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "cli/progress.h"
#include "engine/prune.h"

#include <stdio.h>

struct volume_prune_args {
	bool all, force;
	struct opt_list filter;
};

static const struct opt volume_prune_opts[] = {
    OPT(struct volume_prune_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every volume that no instance uses, not only those without a name"),
    OPT(struct volume_prune_args, filter, .name = "filter", .type = OPT_LIST, .arg = "KEY=VALUE",
	.help = "only those with label=K[=V], without label!=K[=V]"),
    OPT(struct volume_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct volume_prune_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct prune_opts o = {.all = pa->all, .filters = {pa->filter.v, pa->filter.n}};
	struct prune_result done;
	char size[16];
	int r = confirm_ask(pa->force, "volume prune",
			    pa->all ? "every volume that no instance uses"
				    : "every volume without a name that no instance uses",
			    e);

	if (r <= 0)
		return r;
	r = prune_volumes(s, &o, &a, &done, e);
	if (r < 0)
		return r;
	if (done.volumes.n)
		puts("Deleted Volumes:");
	for (size_t i = 0; i < done.volumes.n; i++)
		puts(done.volumes.v[i]);
	printf("%sTotal reclaimed space: %s\n", done.volumes.n ? "\n" : "",
	       progress_size(done.bytes, size));
	return 0;
}

extern const struct cmd cmd_volume_prune;
const struct cmd cmd_volume_prune = {
    .name = "volume prune",
    .group = "volumes",
    .operands = "",
    .summary = "remove volumes that nobody uses",
    .opts = volume_prune_opts,
    .args_size = sizeof(struct volume_prune_args),
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "engine/pod_ctl.h"

#include <stdbool.h>
#include <stdio.h>

struct pod_prune_args {
	bool force;
};

static const struct opt pod_prune_opts[] = {
    OPT(struct pod_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_prune_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct strs gone = {0};
	int r = confirm_ask(pa->force, "pod prune",
			    "every pod in which nothing runs, with its containers", e);

	if (r <= 0)
		return r;
	r = pod_ctl_prune(s, &a, &gone, e);
	for (size_t i = 0; i < gone.n; i++)
		puts(gone.v[i]);
	return r;
}

extern const struct cmd cmd_pod_prune;
const struct cmd cmd_pod_prune = {
    .name = "pod prune",
    .group = "pods",
    .operands = "",
    .summary = "remove pods in which nothing runs",
    .opts = pod_prune_opts,
    .args_size = sizeof(struct pod_prune_args),
    .run = run,
};

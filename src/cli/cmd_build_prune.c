/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "build/buildprune.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "cli/progress.h"
#include "engine/session.h"

#include <stdbool.h>
#include <stdio.h>

struct build_prune_args {
	bool force;
	uint64_t keep;
};

static const struct opt opts[] = {
    OPT(struct build_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT(struct build_prune_args, keep, .name = "keep-storage", .type = OPT_BYTES, .arg = "SIZE",
	.help = "what was used last may stay, up to this size"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct build_prune_args *pa = args;
	struct store *store;
	uint64_t freed = 0;
	char size[16];
	int r = confirm_ask(pa->force, "build prune",
			    pa->keep ? "what builds keep for the next ones, the oldest first"
				     : "everything that builds keep for the next ones",
			    e);

	if (r <= 0)
		return r;
	r = session_store(s, &store, e);
	if (r < 0)
		return r;
	r = buildprune_run(store, pa->keep, &freed, e);
	if (r >= 0)
		printf("Total reclaimed space: %s\n", progress_size(freed, size));
	return r;
}

extern const struct cmd cmd_build_prune;
const struct cmd cmd_build_prune = {
    .name = "build prune",
    .aliases = (const char *const[]){"builder prune", NULL},
    .group = "images",
    .operands = "",
    .summary = "forget what earlier builds made",
    .opts = opts,
    .args_size = sizeof(struct build_prune_args),
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "cli/progress.h"
#include "engine/prune.h"

#include <stdio.h>

struct image_prune_args {
	bool all, force;
	struct opt_list filter;
};

static const struct opt image_prune_opts[] = {
    OPT(struct image_prune_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every image that no instance uses, not only those without a name"),
    OPT(struct image_prune_args, filter, .name = "filter", .type = OPT_LIST, .arg = "KEY=VALUE",
	.help = "only those made before until=TIME, with label=K[=V], without label!=K[=V]"),
    OPT(struct image_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct image_prune_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct prune_opts o = {.all = pa->all, .filters = {pa->filter.v, pa->filter.n}};
	struct prune_result done;
	char size[16];
	int r = confirm_ask(pa->force, "image prune",
			    pa->all ? "every image that no instance uses"
				    : "every image without a name that no instance uses",
			    e);

	if (r <= 0)
		return r;
	r = prune_images(s, &o, &a, &done, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < done.untagged.n; i++)
		printf("Untagged: %s\n", done.untagged.v[i]);
	for (size_t i = 0; i < done.deleted.n; i++)
		printf("Deleted: %s\n", done.deleted.v[i]);
	printf("Total reclaimed space: %s\n", progress_size(done.bytes, size));
	return 0;
}

extern const struct cmd cmd_image_prune;
const struct cmd cmd_image_prune = {
    .name = "image prune",
    .group = "images",
    .operands = "",
    .summary = "remove images that nobody uses",
    .opts = image_prune_opts,
    .args_size = sizeof(struct image_prune_args),
    .run = run,
};

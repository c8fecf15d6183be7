/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/confirm.h"
#include "cli/progress.h"
#include "engine/prune.h"

#include <stdio.h>

struct system_prune_args {
	bool all, force, volumes;
	struct opt_list filter;
};

static const struct opt system_prune_opts[] = {
    OPT(struct system_prune_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every image that no instance uses, not only those without a name"),
    OPT(struct system_prune_args, filter, .name = "filter", .type = OPT_LIST, .arg = "KEY=VALUE",
	.help = "only what was made before until=TIME, with label=K[=V], without label!=K[=V]"),
    OPT(struct system_prune_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "do not ask"),
    OPT(struct system_prune_args, volumes, .name = "volumes", .type = OPT_BOOL,
	.help = "also volumes without a name that no instance uses"),
    OPT_END,
};

static void list(const char *heading, const struct strs *l)
{
	if (l->n)
		printf("%s:\n", heading);
	for (size_t i = 0; i < l->n; i++)
		printf("%s\n", l->v[i]);
	if (l->n)
		printf("\n");
}

static int ask(const struct system_prune_args *pa, struct err *e)
{
	char what[256];

	snprintf(what, sizeof(what),
		 "all instances that do not run%s, all images%s that no "
		 "instance uses, and what killed commands left",
		 pa->volumes ? ", all volumes without a name that no instance uses" : "",
		 pa->all ? "" : " without a name");
	return confirm_ask(pa->force, "system prune", what, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct system_prune_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct prune_opts o = {
	    .all = pa->all, .volumes = pa->volumes, .filters = {pa->filter.v, pa->filter.n}};
	struct prune_result done;
	char size[16];
	int r = ask(pa, e);

	if (r <= 0)
		return r;
	r = prune_system(s, &o, &a, &done, e);
	if (r < 0)
		return r;
	list("Deleted instances", &done.instances);
	list("Deleted volumes", &done.volumes);
	list("Untagged images", &done.untagged);
	list("Deleted images", &done.deleted);
	printf("Total reclaimed space: %s\n", progress_size(done.bytes, size));
	return 0;
}

extern const struct cmd cmd_system_prune;
const struct cmd cmd_system_prune = {
    .name = "system prune",
    .group = "system",
    .operands = "",
    .summary = "remove ended instances, unused images and leftovers",
    .opts = system_prune_opts,
    .args_size = sizeof(struct system_prune_args),
    .run = run,
};

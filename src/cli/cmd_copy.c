/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/image_copy.h"
#include "engine/session.h"

#include <stdio.h>

struct copy_args {
	const char *platform;
	bool all;
	struct progress_args progress;
};

static const struct opt copy_opts[] = {
    OPT(struct copy_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "an image for several platforms with all of them"),
    OPT(struct copy_args, platform, .name = "platform", .type = OPT_STR, .arg = "OS/ARCH",
	.help = "which platform of an image for several, such as linux/arm64"),
    OPT(struct copy_args, progress, .name = "progress", .type = OPT_TABLE, .table = progress_opts),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct copy_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct progress p;
	struct image_copy_opts o = {.pull = {.platform = ca->platform,
					     .data = s->data,
					     .signature_policy = s->signature_policy,
					     .progress = progress_show,
					     .arg = &p},
				    .all = ca->all};
	const char *digest = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	progress_init(&p, &ca->progress, s);
	r = image_copy_run(store, argv[0], argv[1], &o, &a, &digest, e);
	progress_done(&p);
	if (r >= 0)
		printf("%s\n", digest);
	return r < 0 ? r : 0;
}

extern const struct cmd cmd_copy;
const struct cmd cmd_copy = {
    .name = "copy",
    .group = "images",
    .operands = "SOURCE DESTINATION",
    .summary = "copy an image between registries, layouts, archives and the store",
    .opts = copy_opts,
    .args_size = sizeof(struct copy_args),
    .operands_min = 2,
    .operands_max = 2,
    .aliases = (const char *const[]){"image copy", NULL},
    .run = run,
};

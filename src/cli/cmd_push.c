/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/image_copy.h"
#include "engine/image_push.h"
#include "engine/session.h"
#include "fmt/reference.h"

#include <stdio.h>

struct push_args {
	bool all_tags, all_platforms;
	struct progress_args progress;
};

static const struct opt push_opts[] = {
    OPT(struct push_args, all_tags, .name = "all-tags", .letter = 'a', .type = OPT_BOOL,
	.help = "push every tag of the repository that is here"),
    OPT(struct push_args, all_platforms, .name = "all-platforms", .type = OPT_BOOL,
	.help = "push an image for several platforms that was pulled so, whole"),
    OPT(struct push_args, progress, .name = "progress", .type = OPT_TABLE, .table = progress_opts),
    OPT_END,
};

/* The index and everything in it; what is pushed else is one platform's manifest. */
static int push_whole(struct store *store, const char *name, const struct push_args *pa,
		      struct progress *p, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_copy_opts o = {.pull = {.progress = progress_show, .arg = p}, .all = true};
	const char *digest = NULL;
	int r;

	if (pa->all_tags)
		return err_set(e, ERR_USAGE, "--all-platforms goes with one tag");
	r = image_copy_run(store, name, arena_printf(&a, "docker://%s", name), &o, &a, &digest, e);
	progress_done(p);
	if (r >= 0)
		printf("%s\n", pa->progress.quiet ? name : digest);
	return r < 0 ? r : 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct push_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct progress p;
	struct image_push_opts o = {.all_tags = pa->all_tags, .progress = progress_show, .arg = &p};
	struct image_pushes done;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	progress_init(&p, &pa->progress, s);
	if (pa->all_platforms)
		return push_whole(store, argv[0], pa, &p, e);
	r = image_push_run(store, argv[0], &o, &a, &done, e);
	progress_done(&p);
	for (size_t i = 0; r >= 0 && i < done.n; i++)
		if (pa->progress.quiet)
			printf("%s\n", reference_familiar(&a, done.v[i].name));
		else
			printf("%s: digest: %s size: %llu\n", done.v[i].tag, done.v[i].digest,
			       (unsigned long long)done.v[i].size);
	return r < 0 ? r : 0;
}

extern const struct cmd cmd_push;
const struct cmd cmd_push = {
    .name = "push",
    .group = "images",
    .operands = "NAME[:TAG]",
    .summary = "send an image to the registry that its name says",
    .opts = push_opts,
    .args_size = sizeof(struct push_args),
    .operands_min = 1,
    .operands_max = 1,
    .aliases = (const char *const[]){"image push", NULL},
    .run = run,
};

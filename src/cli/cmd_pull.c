/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/image_pull.h"
#include "engine/session.h"
#include "fmt/reference.h"

#include <stdio.h>

struct pull_args {
	const char *platform;
	bool all_platforms;
	const char *signature_policy;
	struct progress_args progress;
};

static const struct opt pull_opts[] = {
    OPT(struct pull_args, platform, .name = "platform", .type = OPT_STR, .arg = "OS/ARCH",
	.help = "which platform of an image for several, such as linux/arm64"),
    OPT(struct pull_args, all_platforms, .name = "all-platforms", .type = OPT_BOOL,
	.help = "keep the others too, to push or copy them on"),
    OPT(struct pull_args, progress, .name = "progress", .type = OPT_TABLE, .table = progress_opts),
    OPT(struct pull_args, signature_policy, .name = "signature-policy", .type = OPT_STR,
	.arg = "FILE", .complete = "file",
	.help = "policy.json to go by, instead of the user's or the machine's"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pull_args *pa = args;
	auto_arena struct arena a = ARENA_INIT;
	struct progress p;
	struct image_pull_opts o = {.platform = pa->platform,
				    .all_platforms = pa->all_platforms,
				    .data = s->data,
				    .progress = progress_show,
				    .arg = &p,
				    .signature_policy = pa->signature_policy ? pa->signature_policy
									     : s->signature_policy};
	struct image_pulled done;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	progress_init(&p, &pa->progress, s);
	r = image_pull_run(store, argv[0], &o, &a, &done, e);
	progress_done(&p);
	if (r < 0)
		return r;
	for (size_t i = 0; i < done.names.n; i++)
		printf("%s\n", reference_familiar(&a, done.names.v[i]));
	if (!done.names.n)
		printf("%s\n", done.id);
	return 0;
}

extern const struct cmd cmd_pull;
const struct cmd cmd_pull = {
    .name = "pull",
    .group = "images",
    .operands = "IMAGE|oci:DIR[:TAG]|oci-archive:FILE[:TAG]|docker-archive:FILE[:REF]|dir:DIR",
    .summary = "bring an image from a registry, a layout or an archive",
    .opts = pull_opts,
    .args_size = sizeof(struct pull_args),
    .operands_min = 1,
    .operands_max = 1,
    .aliases = (const char *const[]){"image pull", NULL},
    .run = run,
};

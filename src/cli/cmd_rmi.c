/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/image_ctl.h"
#include "engine/session.h"

#include <stdio.h>

struct rmi_args {
	bool force;
};

static const struct opt rmi_opts[] = {
    OPT(struct rmi_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "also when an instance uses it (its layers stay until that is gone)"),
    OPT_END,
};

static int remove_one(struct session *s, const char *name, bool force, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_ctl_removed done;
	int r = image_ctl_remove(s, name, force, &a, &done, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < done.untagged.n; i++)
		printf("Untagged: %s\n", done.untagged.v[i]);
	if (done.deleted)
		printf("Deleted: %s\n", done.deleted);
	return 0;
}

/* One that cannot go does not keep the others. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct rmi_args *ra = args;
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (remove_one(s, argv[i], ra->force, &why) >= 0)
			continue;
		if (failed)
			each_failed(e);
		failed = err_set(e, (enum err_kind)why.kind, "%s", why.msg);
	}
	return failed;
}

extern const struct cmd cmd_rmi;
const struct cmd cmd_rmi = {
    .name = "rmi",
    .group = "images",
    .operands = "IMAGE...",
    .summary = "remove images by name or id, and the data nothing else needs",
    .opts = rmi_opts,
    .args_size = sizeof(struct rmi_args),
    .operands_min = 1,
    .operands_max = -1,
    .aliases = (const char *const[]){"image rm", "image remove", NULL},
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/registry_ctl.h"
#include "engine/session.h"

#include <stdio.h>

struct referrers_args {
	const char *type;
};

static const struct opt referrers_opts[] = {
    OPT(struct referrers_args, type, .name = "artifact-type", .type = OPT_STR, .arg = "TYPE",
	.help = "only artifacts of this type"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct referrers_args *ra = args;
	auto_arena struct arena a = ARENA_INIT;
	struct registry_ctl_doc doc;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = registry_ctl_referrers(store, argv[0], ra->type, &a, &doc, e);
	if (r >= 0)
		printf("%s\n", doc.text);
	return r;
}

extern const struct cmd cmd_registry_referrers;
const struct cmd cmd_registry_referrers = {
    .name = "registry referrers",
    .group = "registries",
    .operands = "IMAGE",
    .summary = "list what refers to an image: signatures, bills of materials",
    .opts = referrers_opts,
    .args_size = sizeof(struct referrers_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

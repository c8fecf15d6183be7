/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/registry_ctl.h"
#include "engine/session.h"

#include <stdbool.h>
#include <stdio.h>

struct inspect_args {
	bool digest;
};

static const struct opt inspect_opts[] = {
    OPT(struct inspect_args, digest, .name = "digest", .type = OPT_BOOL,
	.help = "print only the digest"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct inspect_args *ia = args;
	auto_arena struct arena a = ARENA_INIT;
	struct registry_ctl_doc doc;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = registry_ctl_manifest(store, argv[0], &a, &doc, e);
	if (r < 0)
		return r;
	if (ia->digest)
		printf("%s\n", doc.digest);
	else
		fwrite(doc.text, 1, doc.len, stdout); /* byte for byte, so that its digest fits */
	return 0;
}

extern const struct cmd cmd_registry_inspect;
const struct cmd cmd_registry_inspect = {
    .name = "registry inspect",
    .group = "registries",
    .operands = "IMAGE",
    .summary = "show the manifest or index that a registry has",
    .opts = inspect_opts,
    .args_size = sizeof(struct inspect_args),
    .operands_min = 1,
    .operands_max = 1,
    .aliases = (const char *const[]){"manifest inspect", NULL},
    .run = run,
};

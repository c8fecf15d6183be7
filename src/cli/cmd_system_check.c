/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/progress.h"
#include "engine/storecheck.h"

#include <inttypes.h>
#include <stdio.h>

struct system_check_args {
	bool repair;
};

static const struct opt system_check_opts[] = {
    OPT(struct system_check_args, repair, .name = "repair", .type = OPT_BOOL,
	.help = "make damaged layers again, remove what cannot be"),
    OPT_END,
};

static void tell(int kind, const char *line, void *arg)
{
	bool *lost = arg;

	*lost |= kind == AUDIT_LOST;
	printf("%s", kind == AUDIT_WRONG ? "" : "  ");
	each_print(line);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct system_check_args *ca = args;
	struct audit_result res = {0};
	bool lost = false;
	char size[16];
	int r = storecheck_run(s, ca->repair, tell, &lost, &res, e);

	if (r < 0)
		return r;
	printf("checked %" PRIu64 " image names, %" PRIu64 " layers, %" PRIu64
	       " blobs (%s): %" PRIu64 " wrong, %" PRIu64 " repaired\n",
	       res.images, res.layers, res.blobs, progress_size(res.bytes, size), res.wrong,
	       res.fixed);
	return res.wrong && (!ca->repair || lost || !res.fixed);
}

static const char *const aliases[] = {"store check", NULL};

extern const struct cmd cmd_system_check;
const struct cmd cmd_system_check = {
    .name = "system check",
    .group = "system",
    .operands = "",
    .summary = "verify every digest and layer in the store",
    .opts = system_check_opts,
    .args_size = sizeof(struct system_check_args),
    .aliases = aliases,
    .run = run,
};

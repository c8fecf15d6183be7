/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/snapshot_ctl.h"

static const struct opt snapshot_rm_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (snapshot_ctl_remove(s, argv[i], &why) < 0) {
			each_failed(&why);
			failed = 1;
		} else {
			each_print(argv[i]);
		}
	}
	return failed;
}

extern const struct cmd cmd_snapshot_rm;
const struct cmd cmd_snapshot_rm = {
    .name = "snapshot rm",
    .group = "snapshots",
    .operands = "SNAPSHOT...",
    .summary = "remove snapshots",
    .opts = snapshot_rm_opts,
    .operands_min = 1,
    .operands_max = -1,
    .aliases = (const char *const[]){"snapshot remove", NULL},
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/volume_ctl.h"

#include <stdbool.h>
#include <stdio.h>

struct volume_rm_args {
	bool force;
};

static const struct opt volume_rm_opts[] = {
    OPT(struct volume_rm_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "what does not exist is no error"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct volume_rm_args *ra = args;
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (volume_ctl_remove(s, argv[i], ra->force, &why) < 0) {
			each_failed(&why);
			failed = 1;
		} else {
			each_print(argv[i]);
		}
	}
	return failed;
}

extern const struct cmd cmd_volume_rm;
const struct cmd cmd_volume_rm = {
    .name = "volume rm",
    .group = "volumes",
    .operands = "VOLUME...",
    .summary = "remove volumes that no instance uses",
    .opts = volume_rm_opts,
    .args_size = sizeof(struct volume_rm_args),
    .operands_min = 1,
    .operands_max = -1,
    .aliases = (const char *const[]){"volume remove", NULL},
    .run = run,
};

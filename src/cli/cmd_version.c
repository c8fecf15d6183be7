/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"

#include <stdio.h>
#include <sys/utsname.h>

static const struct opt version_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	struct utsname u;

	if (uname(&u) < 0)
		return 1;
	printf("caisson version %s\nkernel  %s %s\nmachine %s\n", CAISSON_VERSION, u.sysname,
	       u.release, u.machine);
	return 0;
}

extern const struct cmd cmd_version;
const struct cmd cmd_version = {
    .name = "version",
    .group = "system",
    .operands = "",
    .summary = "print the version of caisson and of the host's kernel",
    .opts = version_opts,
    .flags = CMD_OUTSIDE,
    .run = run,
};

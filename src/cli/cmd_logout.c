/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/registry_login.h"

#include <stdio.h>

static const struct opt logout_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *host = NULL;
	int r = registry_login_host(argc ? argv[0] : NULL, &a, &host, e);

	if (r >= 0)
		r = registry_login_erase(s, host, e);
	if (r < 0)
		return r;
	printf(r ? "Removing login credentials for %s\n" : "Not logged in to %s\n", host);
	return 0;
}

extern const struct cmd cmd_logout;
const struct cmd cmd_logout = {
    .name = "logout",
    .group = "images",
    .operands = "[SERVER]",
    .summary = "forget the user and password for a registry",
    .opts = logout_opts,
    .operands_max = 1,
    .run = run,
};

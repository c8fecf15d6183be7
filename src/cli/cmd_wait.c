/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/conn.h"
#include "engine/lookup.h"

#include <stdio.h>

static const struct opt wait_opts[] = {OPT_END};

static int wait_one(struct session *s, const char *what, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int status, r = lookup_find(s, what, &a, &l, e);

	if (r < 0)
		return r;
	if (l.state.status == INSTANCE_RUNNING || l.state.status == INSTANCE_PAUSED) {
		r = conn_wait(s, l.i.id, &status, e);
		if (r == 0) {
			printf("%d\n", conn_code(status));
			return 0;
		}
		/* It ended between the two; then the record knows. */
		*e = ERR_INIT;
		r = lookup_find(s, l.i.id, &a, &l, e);
		if (r < 0)
			return r;
	}
	printf("%lld\n", (long long)l.state.exit_code);
	return 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	int failed = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (wait_one(s, argv[i], &why) < 0) {
			fprintf(stderr, "caisson: %s\n", why.msg);
			failed = 1;
		}
		fflush(stdout);
	}
	return failed;
}

extern const struct cmd cmd_wait;
const struct cmd cmd_wait = {
    .name = "wait",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "wait until instances have ended and print their exit codes",
    .opts = wait_opts,
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/conn.h"
#include "engine/lookup.h"

static const struct opt pause_opts[] = {OPT_END};

static int freeze(struct session *s, struct lookup *l, const void *arg, struct err *e)
{
	return conn_simple(s, l->i.id, WIRE_PAUSE, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	return each_instance(s, argc, argv, freeze, NULL);
}

extern const struct cmd cmd_pause;
const struct cmd cmd_pause = {
    .name = "pause",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "freeze all processes of running instances",
    .opts = pause_opts,
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

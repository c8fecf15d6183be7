/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/instance_diff.h"

#include <stdio.h>

static const struct opt diff_opts[] = {OPT_END};

/* The workload's names on a terminal: what is no character of a line is shown as '?'. */
static void line(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	putchar('\n');
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs l = {0};
	int r = instance_diff_list(s, argv[0], &a, &l, e);

	for (size_t i = 0; r >= 0 && i < l.n; i++)
		line(l.v[i]);
	return r < 0 ? r : 0;
}

static const char *const aliases[] = {"container diff", NULL};

extern const struct cmd cmd_diff;
const struct cmd cmd_diff = {
    .name = "diff",
    .group = "instances",
    .operands = "INSTANCE",
    .summary = "list the files an instance added (A), changed (C) and deleted (D)",
    .opts = diff_opts,
    .operands_min = 1,
    .operands_max = 1,
    .aliases = aliases,
    .run = run,
};

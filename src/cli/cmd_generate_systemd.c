/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/lookup.h"
#include "engine/unitfile.h"

#include <stdio.h>

/* systemd reads no longer line than 1 MiB; a unit has one long one. */
#define UNIT_MAX (1u << 20)

struct generate_systemd_args {
	bool name, fresh;
	int restart;
	int64_t time, restart_s;
};

/* Of systemd.service(5). */
static const char *const policies[] = {"no",	      "on-success", "on-failure", "on-abnormal",
				       "on-watchdog", "on-abort",   "always",	  NULL};

static const struct opt generate_systemd_opts[] = {
    OPT(struct generate_systemd_args, name, .name = "name", .letter = 'n', .type = OPT_BOOL,
	.help = "call the instance by its name, not by its id"),
    OPT(struct generate_systemd_args, fresh, .name = "new", .type = OPT_BOOL,
	.help = "a new instance at each start, removed at each end"),
    OPT(struct generate_systemd_args, restart, .name = "restart-policy", .type = OPT_ENUM,
	.arg = "POLICY", .values = policies, .preset = "on-failure",
	.help = "when systemd starts it again"),
    OPT(struct generate_systemd_args, restart_s, .name = "restart-sec", .type = OPT_INT,
	.arg = "SECONDS", .min = -1, .max = 1 << 30, .preset = "-1",
	.help = "how long systemd waits before that, -1 for its own time"),
    OPT(struct generate_systemd_args, time, .name = "time", .letter = 't', .type = OPT_INT,
	.arg = "SECONDS", .min = UNITFILE_OWN_TIME, .max = 1 << 30, .preset = "-2",
	.help = "time before SIGKILL, -1 for never, -2 for the instance's own"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct generate_systemd_args *a = args;
	struct unitfile_opts o = {.by_name = a->name,
				  .fresh = a->fresh,
				  .restart = policies[a->restart],
				  .restart_s = a->restart_s,
				  .stop_s = a->time};
	auto_arena struct arena arena = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(UNIT_MAX);
	struct lookup l;
	int r = lookup_find(s, argv[0], &arena, &l, e);

	if (r == 0)
		r = unitfile_write(s, &l, &o, &out, e);
	if (r == 0)
		r = buf_fail(&out, "unit", e);
	if (r == 0)
		fputs(out.p, stdout);
	return r;
}

extern const struct cmd cmd_generate_systemd;
const struct cmd cmd_generate_systemd = {
    .name = "generate systemd",
    .group = "instances",
    .operands = "INSTANCE",
    .summary = "print a unit of systemd that keeps an instance running",
    .opts = generate_systemd_opts,
    .args_size = sizeof(struct generate_systemd_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

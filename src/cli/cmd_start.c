/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/relay.h"
#include "engine/lookup.h"
#include "engine/remove.h"
#include "engine/restart.h"
#include "engine/start.h"

struct start_args {
	bool attach, interactive;
	const char *detach_keys;
};

static const struct opt start_opts[] = {
    OPT(struct start_args, attach, .name = "attach", .letter = 'a', .type = OPT_BOOL,
	.help = "follow its output and pass signals on"),
    OPT(struct start_args, detach_keys, .name = "detach-keys", .type = OPT_STR, .arg = "KEYS",
	.help = "keys that leave it running, ctrl-p,ctrl-q by default"),
    OPT(struct start_args, interactive, .name = "interactive", .letter = 'i', .type = OPT_BOOL,
	.help = "pass on stdin"),
    OPT_END,
};

static int one(struct session *s, struct lookup *l, const void *arg, struct err *e)
{
	return restart_start(s, &l->i, e);
}

static int attached(struct session *s, const struct start_args *a, const char *what, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT;
	auto_conn struct conn c = CONN_INIT;
	auto_fd int signals = -1;
	struct start_opts o = {.attach = true, .in = a->interactive, .reap = true};
	struct relay relay = {.conn = &c,
			      .stream = START_STREAM,
			      .in = a->interactive,
			      .wait_start = true,
			      .detach_keys = a->detach_keys};
	struct lookup l;
	int status = 0, r = lookup_find(s, what, &arena, &l, e);

	if (r < 0)
		return r;
	relay.tty = restart_has_tty(&l.i);
	r = relay_check(&relay, e);
	if (r < 0)
		return r;
	if (relay.tty)
		relay_size(&o.rows, &o.columns);
	relay.signals = signals = relay_signals(e);
	r = signals < 0 ? signals : restart_begin(s, &l.i, &o, &c, e);
	if (r < 0)
		return r;
	r = relay_run(&relay, &status, e);
	if (r == RELAY_DETACHED)
		return 0;
	conn_close(&c);
	remove_ended(s, l.i.id, REMOVE_SOON, r < 0 ? NULL : e);
	return r < 0 ? r : conn_code(status);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct start_args *a = args;

	if (!a->attach && !a->interactive)
		return each_instance(s, argc, argv, one, NULL);
	if (argc > 1)
		return err_set(e, ERR_USAGE, "only one instance can be attached to");
	return attached(s, a, argv[0], e);
}

extern const struct cmd cmd_start;
const struct cmd cmd_start = {
    .name = "start",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "start instances that were made or have ended",
    .opts = start_opts,
    .args_size = sizeof(struct start_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/instance_args.h"
#include "cli/relay.h"
#include "engine/exec.h"
#include "engine/lookup.h"

struct exec_args {
	bool detach, interactive, tty;
	const char *user, *workdir, *detach_keys;
	struct opt_list env, env_file;
};

static const struct opt exec_opts[] = {
    OPT(struct exec_args, detach, .name = "detach", .letter = 'd', .type = OPT_BOOL,
	.help = "do not wait for it"),
    OPT(struct exec_args, detach_keys, .name = "detach-keys", .type = OPT_STR, .arg = "KEYS",
	.help = "keys that leave it running, ctrl-p,ctrl-q by default"),
    OPT(struct exec_args, env, .name = "env", .letter = 'e', .type = OPT_LIST, .arg = "KEY[=VALUE]",
	.help = "set a variable, or pass on your own"),
    OPT(struct exec_args, env_file, .name = "env-file", .type = OPT_LIST, .arg = "FILE",
	.complete = "file", .help = "read variables from a file, one KEY=VALUE per line"),
    OPT(struct exec_args, interactive, .name = "interactive", .letter = 'i', .type = OPT_BOOL,
	.help = "pass on stdin"),
    OPT(struct exec_args, tty, .name = "tty", .letter = 't', .type = OPT_BOOL,
	.help = "give it a terminal"),
    OPT(struct exec_args, user, .name = "user", .letter = 'u', .type = OPT_STR,
	.arg = "USER[:GROUP]", .help = "user by name or id"),
    OPT(struct exec_args, workdir, .name = "workdir", .letter = 'w', .type = OPT_STR, .arg = "DIR",
	.help = "working directory inside"),
    OPT_END,
};

static int follow(struct conn *c, const struct exec_args *a, int signals, struct err *e)
{
	struct relay relay = {.conn = c,
			      .stream = EXEC_STREAM,
			      .started = EXEC_STREAM,
			      .in = a->interactive,
			      .tty = a->tty,
			      .detach_keys = a->detach_keys,
			      .signals = signals};
	int status = 0, r = relay_run(&relay, &status, e);

	if (r == RELAY_DETACHED)
		return 0;
	return r < 0 ? r : conn_code(status);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct exec_args *a = args;
	auto_arena struct arena arena = ARENA_INIT;
	auto_conn struct conn c = CONN_INIT;
	auto_fd int signals = -1;
	struct exec_request q = {.user = a->user,
				 .workdir = a->workdir,
				 .tty = a->tty,
				 .in = a->interactive,
				 .detach = a->detach};
	struct relay asked = {.in = a->interactive, .tty = a->tty};
	struct wire_frame f;
	struct lookup l;
	int r = a->detach ? 0 : relay_check(&asked, e);

	if (r == 0)
		r = instance_args_env(&a->env, &a->env_file, s, &arena, &q.env, e);
	if (r == 0)
		r = lookup_find(s, argv[0], &arena, &l, e);
	if (r < 0)
		return r;
	for (int i = 1; i < argc; i++)
		arena_strs_add(&arena, &q.args, argv[i]);
	if (a->tty)
		relay_size(&q.rows, &q.columns);
	if (!a->detach) {
		signals = relay_signals(e);
		if (signals < 0)
			return signals;
	}
	r = exec_start(s, &l.i, &q, &c, e);
	if (r < 0)
		return r;
	return a->detach ? conn_answer(&c, EXEC_STREAM, WIRE_STARTED, &f, e)
			 : follow(&c, a, signals, e);
}

extern const struct cmd cmd_exec;
const struct cmd cmd_exec = {
    .name = "exec",
    .group = "instances",
    .operands = "INSTANCE COMMAND [ARG...]",
    .summary = "run one more process in a running instance",
    .opts = exec_opts,
    .args_size = sizeof(struct exec_args),
    .operands_min = 2,
    .operands_max = -1,
    .flags = CMD_RUNS,
    .run = run,
};

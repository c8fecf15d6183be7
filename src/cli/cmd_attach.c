/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/relay.h"
#include "engine/conn.h"
#include "engine/lookup.h"
#include "engine/restart.h"

struct attach_args {
	bool no_stdin, sig_proxy;
	const char *detach_keys;
};

#define STREAM 1

static const struct opt attach_opts[] = {
    OPT(struct attach_args, detach_keys, .name = "detach-keys", .type = OPT_STR, .arg = "KEYS",
	.help = "keys that leave it running, ctrl-p,ctrl-q by default"),
    OPT(struct attach_args, no_stdin, .name = "no-stdin", .type = OPT_BOOL,
	.help = "do not pass on stdin"),
    OPT(struct attach_args, sig_proxy, .name = "sig-proxy", .type = OPT_BOOL, .preset = "true",
	.help = "pass signals on to the process"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct attach_args *a = args;
	auto_arena struct arena arena = ARENA_INIT;
	auto_conn struct conn c = CONN_INIT;
	auto_fd int signals = -1;
	struct control_attach at = {.in = !a->no_stdin, .out = true, .err = true};
	struct relay relay = {.conn = &c,
			      .stream = STREAM,
			      .in = !a->no_stdin,
			      .no_signals = !a->sig_proxy,
			      .detach_keys = a->detach_keys};
	struct lookup l;
	int status = 0, r = lookup_find(s, argv[0], &arena, &l, e);

	if (r < 0)
		return r;
	if (l.state.status != INSTANCE_RUNNING)
		return err_set(e, ERR_CONFLICT, "you cannot attach to instance '%s': it is %s",
			       l.i.name, lookup_status(&l));
	relay.tty = restart_has_tty(&l.i);
	r = relay_check(&relay, e);
	if (r == 0)
		r = conn_open(s, l.i.id, &c, e);
	if (r == 0)
		r = conn_send_json(&c, WIRE_ATTACH, STREAM, &control_attach_table, &at, e);
	if (r < 0)
		return r;
	relay.signals = signals = relay_signals(e);
	r = signals < 0 ? signals : relay_run(&relay, &status, e);
	if (r == RELAY_DETACHED)
		return 0;
	return r < 0 ? r : conn_code(status);
}

extern const struct cmd cmd_attach;
const struct cmd cmd_attach = {
    .name = "attach",
    .group = "instances",
    .operands = "INSTANCE",
    .summary = "follow a running instance and type to it",
    .opts = attach_opts,
    .args_size = sizeof(struct attach_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

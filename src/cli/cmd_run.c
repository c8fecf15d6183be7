/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/instance_args.h"
#include "cli/relay.h"
#include "engine/conn.h"
#include "engine/create.h"
#include "engine/image_pull.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/start.h"
#include "spec/record.h"
#include "spec/trace.h"

#include <errno.h>
#include <stdio.h>

struct run_args {
	struct instance_args i;
	bool detach, sig_proxy;
	const char *detach_keys;
};

static const struct opt run_opts[] = {
    INSTANCE_ARGS_OPTS(struct run_args, i),
    OPT(struct run_args, detach, .name = "detach", .letter = 'd', .type = OPT_BOOL,
	.help = "run in the background and print the id"),
    OPT(struct run_args, detach_keys, .name = "detach-keys", .type = OPT_STR, .arg = "KEYS",
	.help = "keys that leave it running, ctrl-p,ctrl-q by default"),
    OPT(struct run_args, sig_proxy, .name = "sig-proxy", .type = OPT_BOOL, .preset = "true",
	.help = "pass signals on to the process"),
    OPT_END,
};

static int background(struct session *s, const struct instance *i, int dir_fd, struct err *e)
{
	struct start_opts o = {0};
	auto_conn struct conn c = CONN_INIT;
	int r = start_instance(s, i, dir_fd, &o, &c, e);

	if (r == 0)
		r = start_wait(&c, e);
	if (r == 0)
		printf("%s\n", i->id);
	return r;
}

static int foreground(struct session *s, const struct run_args *a, const struct instance *i,
		      int *dir_fd, struct err *e)
{
	auto_conn struct conn c = CONN_INIT;
	auto_fd int signals = relay_signals(e);
	const bool in = a->i.interactive && instance_args_attached(&a->i, "stdin");
	struct start_opts o = {.attach = true,
			       .in = in,
			       .no_out = !instance_args_attached(&a->i, "stdout"),
			       .no_err = !instance_args_attached(&a->i, "stderr")};
	struct relay relay = {.conn = &c,
			      .stream = START_STREAM,
			      .in = in,
			      .tty = a->i.tty,
			      .no_signals = !a->sig_proxy,
			      .wait_start = true,
			      .detach_keys = a->detach_keys,
			      .signals = signals};
	struct err ignored = ERR_INIT;
	int status = 0, r;

	if (signals < 0)
		return signals;
	/* One that is started again is its monitor's to clear up. */
	o.reap = !a->i.restart || streq(a->i.restart, "no");
	if (a->i.tty)
		relay_size(&o.rows, &o.columns);
	r = start_instance(s, i, *dir_fd, &o, &c, e);
	/* From here on the monitor's lock guards it; ours would keep `rm -f` waiting. */
	close(take_fd(dir_fd));
	if (r < 0)
		return r;
	r = relay_run(&relay, &status, e);
	/* A monitor that loses its client does what is left to do by itself, also when a signal
	 * that was not to be passed on has ended the client alone: the instance runs on. */
	if (r == RELAY_DETACHED)
		return 0;
	if (r == -ECANCELED) {
		int code = 128 + e->sys;

		*e = ERR_INIT;
		return code;
	}
	trace_begin(TRACE_CLEANUP);
	conn_close(&c);
	if (o.reap)
		remove_ended(s, i->id, r < 0 ? 0 : REMOVE_SOON, r < 0 ? &ignored : e);
	trace_end(TRACE_CLEANUP);
	return r < 0 ? r : conn_code(status);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct run_args *a = args;
	auto_arena struct arena arena = ARENA_INIT;
	struct relay asked = {.in = a->i.interactive, .tty = a->i.tty};
	struct image_pull_opts pull = {.platform = a->i.platform,
				       .data = s->data,
				       .policy = a->i.pull,
				       .signature_policy = s->signature_policy};
	struct request q;
	struct instance i;
	auto_fd int dir = -1;
	int r = a->detach ? 0 : relay_check(&asked, e);

	if (a->detach && a->i.attach.n)
		return err_set(e, ERR_USAGE, "conflicting options: --attach and --detach");
	if (r == 0)
		r = instance_args_request(&a->i, s, argc, argv, &arena, &q, e);
	if (r == 0)
		r = instance_args_cidfile_check("cidfile", a->i.cidfile, e);
	if (r < 0)
		return r;
	dir = create_instance(s, &q, &pull, &arena, &i, e);
	if (dir < 0)
		return dir;
	instance_args_advise(s, &q);
	r = instance_args_cidfile_write("cidfile", a->i.cidfile, i.id, e);
	if (r == 0)
		r = a->detach ? background(s, &i, dir, e) : foreground(s, a, &i, &dir, e);
	/* What never ran and was to be removed at its end is removed now. */
	if (r < 0 && i.auto_remove) {
		struct err ignored = ERR_INIT;

		if (dir >= 0)
			close(take_fd(&dir));
		remove_ended(s, i.id, 0, &ignored);
	}
	return r;
}

extern const struct cmd cmd_run;
const struct cmd cmd_run = {
    .name = "run",
    .group = "instances",
    .operands = "IMAGE [COMMAND [ARG...]]",
    .summary = "make an instance of an image and start it",
    .opts = run_opts,
    .args_size = sizeof(struct run_args),
    .operands_min = 1,
    .operands_max = -1,
    .flags = CMD_RUNS,
    .run = run,
};

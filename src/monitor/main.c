/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-monitor - the one parent of a running instance.  Lives as long as the instance; has its
 * log, control socket, exit record and pidfd; has no registry and no TLS; parses hostile bytes from
 * its own instance's stdio (never looked into) and, for a VM, from the guest agent.
 *
 * Started by the engine with descriptors: a plan in a sealed memfd, one end of a socket pair on
 * which the engine speaks as the first client, the instance's lock, for a VM a tap device.  Others
 * that it should only hold (published ports) are just left open.
 *
 * `caisson-monitor --probe DIR --data DIR` tells what this host has for VMs, as JSON; the probe is
 * cached in DIR.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "monitor/cgrecord.h"
#include "monitor/hostinfo.h"
#include "monitor/server.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

struct args {
	int64_t plan, conn, lock, trace;
	const char *taps, *libexec, *data, *self, *root, *run_root, *address, *probe, *cleanup;
};

#define FD(name_, help_)                                                                           \
	OPT(struct args, name_, .name = #name_, .type = OPT_INT, .arg = "FD", .min = -1,           \
	    .max = 1 << 20, .preset = "-1", .help = help_)
#define TEXT(field_, name_, help_)                                                                 \
	OPT(struct args, field_, .name = name_, .type = OPT_STR, .arg = "TEXT", .help = help_)

static const struct opt opts[] = {
    FD(plan, "sealed memfd with the plan"),
    FD(conn, "connection of the first client"),
    FD(lock, "lock of the instance, only held"),
    TEXT(taps, "taps", "descriptors of a vm's tap devices, with commas between"),
    FD(trace, "where phases are written"),
    TEXT(libexec, "libexec", "directory of our programs"),
    TEXT(data, "data", "directory of kernels"),
    TEXT(self, "self", "path of the engine's program"),
    TEXT(root, "root", "of the store"),
    TEXT(run_root, "run-root", "of the store"),
    TEXT(address, "address", "of the instance, for its record"),
    TEXT(probe, "probe", "print the accelerator and exit"),
    TEXT(cleanup, "cleanup", "remove the cgroup of an instance whose monitor died"),
    OPT_END,
};

/* sigaction() and not its banned shorthand, whose meaning depends on feature macros. */
static void signal_ignore(int sig)
{
	struct sigaction sa = {.sa_handler = SIG_IGN};

	sigaction(sig, &sa, NULL);
}

static int probe(const char *dir, const char *root, const char *data, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(8192);
	int r = hostinfo_write(dir, root, data, &b, e);

	if (r < 0)
		return r;
	puts(b.p);
	return 0;
}

static int run(const struct args *a, struct err *e)
{
	struct server_setup setup = {
	    .plan_fd = (int)a->plan,
	    .conn_fd = (int)a->conn,
	    .lock_fd = (int)a->lock,
	    .libexec = a->libexec,
	    .data = a->data,
	    .self = a->self,
	    .root = a->root,
	    .run_root = a->run_root,
	    .address = a->address,
	};

	if (setup.plan_fd < 0 || setup.conn_fd < 0 || setup.lock_fd < 0 || !a->self || !a->root ||
	    !a->run_root)
		return err_set(e, ERR_USAGE, "caisson-monitor is started by caisson");
	for (const char *p = a->taps; p && *p && setup.n_taps < SERVER_TAPS_MAX;) {
		char *end;

		setup.taps[setup.n_taps++] = (int)strtol(p, &end, 10);
		p = *end ? end + 1 : end;
	}
	/* Our children inherit nothing but what the runtime gives them. */
	fd_cloexec_from(3);
	trace_adopt((int)a->trace);
	/* No terminal's signals; a client that hangs up is an error value. */
	signal_ignore(SIGHUP);
	signal_ignore(SIGINT);
	signal_ignore(SIGPIPE);
	umask(022);
	prctl(PR_SET_NAME, "caisson-monitor");
	return server_run(&setup, e);
}

int main(int argc, char **argv)
{
	struct args a = {0};
	struct err e = ERR_INIT;
	int r = opt_parse(opts, argc, argv, OPT_FIRST, &a, &e);

	if (r >= 0)
		r = a.probe	? probe(a.probe, a.root, a.data, &e)
		    : a.cleanup ? cgrecord_clean(a.run_root, a.cleanup, &e)
				: run(&a, &e);
	/* The engine hears of errors on its connection; this is for people and for the probe. */
	if (r < 0)
		fprintf(stderr, "caisson-monitor: %s\n", e.msg);
	return r < 0 ? 1 : r;
}

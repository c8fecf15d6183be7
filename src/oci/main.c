/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-oci - the OCI runtime with runc's command line.  Lives for one command; has the state
 * root
 * (--root), the bundle it is given and cgroups; keeps nothing running but the instance; parses
 * hostile bytes from bundles (config.json) and images (through runtime/).
 *
 * Exit codes as runc: 0, 1 for errors of ours (255 for exec), for run and exec the process's own,
 * 128 + n by signal.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "oci/ocicmd.h"
#include "oci/ocilog.h"
#include "runtime/selfexe.h"
#include "spec/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROGRAM_VAR "_CAISSON_OCI_PROGRAM"

extern char **environ;

static const char *const formats[] = {"text", "json", NULL};

static const struct opt global_opts[] = {
    OPT(struct ocicmd_globals, root, .name = "root", .type = OPT_STR, .arg = "DIR",
	.help = "where the state of instances is kept"),
    OPT(struct ocicmd_globals, log, .name = "log", .type = OPT_STR, .arg = "FILE",
	.help = "write log lines to a file instead of stderr"),
    OPT(struct ocicmd_globals, log_format, .name = "log-format", .type = OPT_ENUM, .arg = "FORMAT",
	.values = formats, .help = "text or json"),
    OPT(struct ocicmd_globals, systemd_cgroup, .name = "systemd-cgroup", .type = OPT_BOOL,
	.help = "cgroupsPath is slice:prefix:name and systemd makes it"),
    OPT(struct ocicmd_globals, rootless, .name = "rootless", .type = OPT_STR, .arg = "WHEN",
	.help = "accepted for runc's sake: auto, true or false; always detected"),
    OPT(struct ocicmd_globals, isolation, .name = "isolation", .type = OPT_STR, .arg = "KIND",
	.help = "container or vm; otherwise the annotation io.caisson.isolation says"),
    OPT(struct ocicmd_globals, debug, .name = "debug", .type = OPT_BOOL, .help = "log more"),
    OPT(struct ocicmd_globals, version, .name = "version", .letter = 'v', .type = OPT_BOOL,
	.help = "print the version"),
    OPT_END,
};

/* The environment is read in this file only. */
static const char *env(const char *name)
{
	const char *v = secure_getenv(name);

	return v && *v ? v : NULL;
}

static const char *default_root(void)
{
	static char path[4096];
	const char *run = env("XDG_RUNTIME_DIR");

	if (geteuid() == 0 || !run || *run != '/')
		return "/run/caisson-oci";
	snprintf(path, sizeof(path), "%s/caisson-oci", run);
	return path;
}

/* sd_listen_fds(3) */
static int listen_fds(void)
{
	const char *n = env("LISTEN_FDS"), *pid = env("LISTEN_PID");
	long fds = n && pid && strtol(pid, NULL, 10) == getpid() ? strtol(n, NULL, 10) : 0;

	return fds > 0 && fds <= 1024 ? (int)fds : 0;
}

static const struct ocicmd *find(const char *name)
{
	for (const struct ocicmd *c = ocicmd_all; c->name; c++)
		if (streq(c->name, name))
			return c;
	return NULL;
}

static void usage(FILE *f)
{
	auto_buf struct buf b = BUF_INIT(64 * 1024);

	opt_help(global_opts, &b);
	fprintf(f,
		"usage: caisson-oci [OPTION...] COMMAND [ARGUMENT...]\n\noptions:\n%s\ncommands:\n",
		b.p);
	for (const struct ocicmd *c = ocicmd_all; c->name; c++)
		fprintf(f, "  %-10s %s\n", c->name, c->summary);
}

static int command_help(const struct ocicmd *c)
{
	auto_buf struct buf b = BUF_INIT(64 * 1024);

	if (c->opts)
		opt_help(c->opts, &b);
	printf("usage: caisson-oci %s %s%s\n\n%s\n%s%s", c->name, c->opts ? "[OPTION...] " : "",
	       c->operands, c->summary, b.len ? "\noptions:\n" : "", b.p);
	return 0;
}

static int version(void)
{
	/* Callers look for these words, and for whose command line this is. */
	printf(
	    "caisson-oci version %s (runc version 1.3.3 command line)\ncommit: %s\nspec: 1.3.0\n",
	    CAISSON_VERSION, CAISSON_VERSION);
	return 0;
}

/* Where our file is.  After selfexe_ensure() it has no path: the first of us leaves it in the
 * environment for the second, which takes it out again. */
static const char *programs_dir(void)
{
	static char path[4096];
	const char *said = env(PROGRAM_VAR);
	ssize_t n;

	if (said) {
		snprintf(path, sizeof(path), "%s", said);
	} else {
		n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = '\0';
	}
	if (!strrchr(path, '/'))
		return NULL;
	setenv(PROGRAM_VAR, path, 1);
	*strrchr(path, '/') = '\0';
	return path;
}

static int run_command(struct ocicmd_globals *g, const struct ocicmd *c, char **all, int argc,
		       char **argv, struct err *e)
{
	int r;

	if (c->enters) {
		g->programs = programs_dir();
		/* Nobody traces us or reads our descriptors, from before anything is opened. */
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		r = selfexe_ensure(all, environ, e);
		if (r < 0)
			return r;
		unsetenv(PROGRAM_VAR);
	}
	return c->run(g, argc, argv, e);
}

int main(int argc, char **argv)
{
	struct ocicmd_globals g = {0};
	struct err e = ERR_INIT;
	const struct ocicmd *c;
	int i, r;

	trace_open(env("CAISSON_TRACE"));
	i = opt_parse(global_opts, argc, argv, OPT_FIRST, &g, &e);
	if (i == -ECANCELED || (i > 0 && i < argc && streq(argv[i], "help"))) {
		usage(stdout);
		return 0;
	}
	if (i < 0) {
		ocilog_error(&g, &e);
		return 1;
	}
	if (g.version)
		return version();
	g.root_given = g.root;
	if (!g.root)
		g.root = default_root();
	g.path = env("PATH");
	g.listen_fds = listen_fds();
	if (i == argc) {
		usage(stderr);
		return 1;
	}
	c = find(argv[i]);
	if (!c) {
		err_set(&e, ERR_USAGE, "unknown command: No help topic for '%s'", argv[i]);
		ocilog_error(&g, &e);
		return 1;
	}
	ocilog_debug(&g, "caisson-oci %s: %s, state in '%s'", CAISSON_VERSION, c->name, g.root);
	trace_begin(TRACE_COMMAND);
	r = run_command(&g, c, argv, argc - i, argv + i, &e);
	trace_end(TRACE_COMMAND);
	if (r == -ECANCELED && e.kind == ERR_CANCELED)
		return command_help(c);
	if (r < 0) {
		ocilog_error(&g, &e);
		return c->error_exit;
	}
	return r;
}

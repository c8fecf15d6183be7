/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson - one command.  Lives for one command; has the store and its locks, keeps nothing open
 * after its exit; parses hostile bytes from nobody but its user.
 *
 * Exit codes: 0, 1 failure, 2 usage; for commands that run something (CMD_RUNS) as Docker but for
 * usage: 125 ours, 126 cannot be executed, 127 not found, else the process's own, 128 + n by
 * signal.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/generate.h"
#include "engine/session.h"
#include "fmt/utf8.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct globals {
	const char *root, *run_root, *config, *context, *storage_driver;
	bool version;
};

static const struct opt global_opts[] = {
    OPT(struct globals, config, .name = "config", .type = OPT_STR, .arg = "DIR", .complete = "file",
	.help = "where credentials for registries are kept, also $DOCKER_CONFIG"),
    OPT(struct globals, context, .name = "context", .letter = 'c', .type = OPT_STR, .arg = "NAME",
	.help = "only default: this machine"),
    {.name = "debug",
     .letter = 'D',
     .type = OPT_REFUSED,
     .help = "there is no log to make longer; $CAISSON_TRACE=FILE records the phases"},
    {.name = "host",
     .letter = 'H',
     .type = OPT_REFUSED,
     .arg = "HOST",
     .help = "there is no engine to connect to, commands work on this machine"},
    {.name = "log-level",
     .letter = 'l',
     .type = OPT_REFUSED,
     .arg = "LEVEL",
     .help = "there is no log to make longer; $CAISSON_TRACE=FILE records the phases"},
    OPT(struct globals, root, .name = "root", .type = OPT_STR, .arg = "DIR", .complete = "file",
	.help = "where images, instances and volumes are kept, also $CAISSON_ROOT"),
    OPT(struct globals, run_root, .name = "run-root", .type = OPT_STR, .arg = "DIR",
	.complete = "file",
	.help = "where what may vanish at boot is kept, also $CAISSON_RUN_ROOT"),
    OPT(struct globals, storage_driver, .name = "storage-driver", .type = OPT_STR, .arg = "NAME",
	.help =
	    "who makes writable roots of containers: overlay (the kernel) or fuse-overlayfs, also "
	    "$CAISSON_STORAGE_DRIVER; else whoever can"),
    OPT_NO("tls", NULL, "there is no engine to connect to"),
    OPT_NO("tlscacert", "FILE", "there is no engine to connect to"),
    OPT_NO("tlscert", "FILE", "there is no engine to connect to"),
    OPT_NO("tlskey", "FILE", "there is no engine to connect to"),
    OPT_NO("tlsverify", NULL, "there is no engine to connect to"),
    OPT(struct globals, version, .name = "version", .letter = 'v', .type = OPT_BOOL,
	.help = "print the version"),
    OPT_END,
};

/* The environment is read in this file only. */
static const char *env(const char *name)
{
	const char *v = secure_getenv(name);

	return v && *v ? v : NULL;
}

static char *join(const char *a, const char *b)
{
	char *s = NULL;

	if (asprintf(&s, "%s%s", a, b) < 0)
		abort();
	return s;
}

static void faults(void)
{
#ifdef CAISSON_FAULTS
	fault_setup(env("CAISSON_FAULT"), env("CAISSON_FAULT_LOG"));
#endif
}

/* An ordinary user's state follows the XDG base directory specification. */
static char *user_root(void)
{
	const char *data = env("XDG_DATA_HOME"), *home = env("HOME");

	if (data && *data == '/')
		return join(data, "/caisson");
	return join(home ? home : "/nonexistent", "/.local/share/caisson");
}

static char *user_run_root(void)
{
	const char *run = env("XDG_RUNTIME_DIR");
	struct stat st;
	char uid[32];

	/* What su and sudo leave of another user's session is not ours. */
	if (run && *run == '/' && stat(run, &st) == 0 && st.st_uid == geteuid())
		return join(run, "/caisson");
	snprintf(uid, sizeof(uid), "%u", (unsigned int)geteuid());
	return join("/tmp/caisson-", uid);
}

/* Relative to where the command was given, because the monitor works from "/". */
static char *absolute(char *path)
{
	char cwd[PATH_MAX], *full = NULL;

	if (*path == '/')
		return path;
	if (!getcwd(cwd, sizeof(cwd)) || asprintf(&full, "%s/%s", cwd, path) < 0)
		return path;
	free(path);
	return full;
}

static char *pick(const char *option, const char *from_env, const char *as_root,
		  char *(*user)(void))
{
	if (option || from_env)
		return absolute(join(option ? option : from_env, ""));
	return geteuid() == 0 ? join(as_root, "") : user();
}

/* In a build tree the helpers stand beside the program; installed, in PREFIX/libexec/caisson. */
static void find_helpers(struct session *s)
{
	char self[PATH_MAX], *slash;
	auto_free char *beside = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	slash = strrchr(self, '/');
	s->self = join(self, "");
	if (slash)
		*slash = '\0';
	beside = join(self, "/caisson-unpack");
	if (access(beside, X_OK) == 0) {
		s->libexec = join(self, "");
		s->data = join(self, "/share/caisson");
	} else {
		s->libexec = join(self, "/../libexec/caisson");
		s->data = join(self, "/../share/caisson");
	}
}

/* The user's own comes before the machine's, as for podman and skopeo. */
static char *find_policy(void)
{
	const char *home = env("HOME");
	char *p = join(home ? home : "", "/.config/containers/policy.json");

	if (home && access(p, F_OK) == 0)
		return p;
	free(p);
	p = join("/etc/containers/policy.json", "");
	if (access(p, F_OK) == 0)
		return p;
	free(p);
	return NULL;
}

static void session_init(struct session *s, const struct globals *g)
{
	s->root = pick(g->root, env("CAISSON_ROOT"), "/var/lib/caisson", user_root);
	s->run_root = pick(g->run_root, env("CAISSON_RUN_ROOT"), "/run/caisson", user_run_root);
	find_helpers(s);
	if (g->storage_driver || env("CAISSON_STORAGE_DRIVER"))
		s->driver = join(g->storage_driver ?: env("CAISSON_STORAGE_DRIVER"), "");
	s->signature_policy = find_policy();
	s->environment = environ;
}

static int print(const struct buf *out, struct err *e)
{
	int r = buf_fail(out, "output", e);

	if (r < 0)
		return r;
	r = fd_write_all(STDOUT_FILENO, out->p, out->len);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "standard output");
	}
	return 0;
}

static int print_help(const struct cmd *c, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);

	*e = ERR_INIT;
	generate_help(c, &out);
	return print(&out, e);
}

static int usage(const struct cmd *c, struct err *e)
{
	return err_set(e, ERR_USAGE, "usage: caisson %s%s %s (see caisson %s --help)", c->name,
		       c->opts->name ? " [OPTION...]" : "", c->operands, c->name);
}

static int call(struct session *s, const struct cmd *c, int argc, char **argv, struct err *e)
{
	auto_free void *args = calloc(1, c->args_size ? c->args_size : 1);
	int first, r = 0, n;

	if (!args)
		abort();
	first = opt_parse(c->opts, argc, argv,
			  c->flags & (CMD_RUNS | CMD_OPERANDS) ? OPT_FIRST : OPT_MIXED, args, e);
	n = argc - first;
	if (first == -ECANCELED)
		r = print_help(c, e);
	else if (first < 0)
		r = first;
	else if (n < c->operands_min || (c->operands_max >= 0 && n > c->operands_max))
		r = usage(c, e);
	else if (!(c->flags & CMD_OUTSIDE))
		session_begin(s);
	if (first >= 0 && r == 0)
		r = c->run(s, args, n, argv + first, e);
	opt_done(c->opts, args);
	return r;
}

static int exit_code(const struct cmd *c, int r, const struct err *e)
{
	auto_buf struct buf shown = BUF_INIT(4 * sizeof(e->msg));

	if (r >= 0)
		return r;
	/* It quotes what was typed, what images and registries say. */
	utf8_visible(&shown, e->msg);
	fprintf(stderr, "caisson: %s\n", shown.p);
	if (e->kind == ERR_USAGE)
		return 2;
	if (!c || !(c->flags & CMD_RUNS))
		return 1;
	switch (e->kind) {
	case ERR_NOT_EXEC:
		return 126;
	case ERR_NO_COMMAND:
		return 127;
	default:
		return 125;
	}
}

static int global(int argc, char **argv, struct session *s, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct globals g = {0};
	int first = opt_parse(global_opts, argc, argv, OPT_FIRST, &g, e);
	bool help = first == -ECANCELED;

	if (first < 0 && !help)
		return first;
	if (g.context && !streq(g.context, "default"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--context '%.60s' is not possible: there is one, default",
			       g.context);
	/* The engine and its helpers find it there. */
	if (g.config && setenv("DOCKER_CONFIG", g.config, 1) < 0)
		return err_sys(e, "--config");
	*e = ERR_INIT;
	if (!help && g.version)
		buf_printf(&out, "caisson version %s\n", CAISSON_VERSION);
	else if (!help && first + 1 < argc && streq(argv[first], "__gen"))
		generate_all(argv[first + 1], argv[first + 2], global_opts, &out, e);
	else if (help || first == argc || (first + 1 == argc && streq(argv[first], "help")))
		generate_overview(global_opts, &out);
	else {
		session_init(s, &g);
		return first;
	}
	if (e->kind != ERR_NONE)
		return -EINVAL;
	return print(&out, e) < 0 ? -EIO : 0;
}

int main(int argc, char **argv)
{
	struct session s = {0};
	struct err e = ERR_INIT;
	const struct cmd *c = NULL;
	int first, words = 0, r;
	bool help = false;

	faults();
	/* Descriptors 0 to 2 are always somebody's stdio: were one closed, the next open() would
	 * become it. */
	while ((r = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && r <= 2)
		fd_set_cloexec(r, 0);
	if (r > 2)
		close(r);
	trace_open(env("CAISSON_TRACE"));
	trace_begin(TRACE_COMMAND);
	first = global(argc, argv, &s, &e);
	if (first <= 0)
		return first == 0 ? 0 : exit_code(NULL, first, &e);
	argc -= first;
	argv += first;
	if (streq(argv[0], "help") && argc > 1) {
		/* `help COMMAND` is `COMMAND --help`. */
		argv++;
		argc--;
		help = true;
	}
	c = commands_find(argc, argv, &words);
	if (!c)
		r = err_set(&e, ERR_USAGE, "no command '%s' (see caisson help)", argv[0]);
	else if (help)
		r = print_help(c, &e);
	else
		r = call(&s, c, argc - words + 1, argv + words - 1, &e);
	r = exit_code(c, r, &e);
	session_done(&s);
	trace_end(TRACE_COMMAND);
	return r;
}

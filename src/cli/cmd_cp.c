/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/copy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cp_args {
	bool archive, follow, quiet;
};

static const struct opt cp_opts[] = {
    OPT(struct cp_args, archive, .name = "archive", .letter = 'a', .type = OPT_BOOL,
	.help = "keep owners, setuid bits and devices"),
    OPT(struct cp_args, follow, .name = "follow-link", .letter = 'L', .type = OPT_BOOL,
	.help = "copy what a link points to"),
    OPT(struct cp_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "say nothing when it is done"),
    OPT_END,
};

/* "-", "NAME:PATH", or a path of the user's; one with a colon begins with "/" or ".". */
static int parse(const char *s, int fd, struct arena *a, struct copy_end *out, struct err *e)
{
	const char *colon = strchr(s, ':');

	*out = (struct copy_end){.fd = fd};
	if (streq(s, "-"))
		return 0;
	out->path = s;
	if (colon && *s != '/' && *s != '.') {
		if (colon == s || !colon[1])
			return err_set(e, ERR_USAGE, "'%s' is not NAME:PATH", s);
		out->instance = arena_dupn(a, s, (size_t)(colon - s));
		out->path = colon + 1;
	}
	return *out->path ? 0 : err_set(e, ERR_USAGE, "a path is empty");
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct cp_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct copy_end from, to;
	char size[16];
	uint64_t bytes;
	int r = parse(argv[0], STDIN_FILENO, &a, &from, e);

	if (r >= 0)
		r = parse(argv[1], STDOUT_FILENO, &a, &to, e);
	if (r < 0)
		return r;
	/* A reader that goes away is an error like any other. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (!to.path && isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE, "cp writes an archive, not to a terminal");
	if (!from.path && isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "cp reads an archive, not a terminal");
	r = copy_run(s, &from, &to,
		     (ca->archive ? COPY_ARCHIVE : 0u) | (ca->follow ? COPY_FOLLOW : 0u), &bytes,
		     e);
	if (r < 0)
		return err_wrap(e, r, "cp");
	if (!ca->quiet && to.path)
		fprintf(stderr, "Copied %s to %s\n", progress_size(bytes, size), argv[1]);
	return 0;
}

static const char *const aliases[] = {"container cp", NULL};

extern const struct cmd cmd_cp;
const struct cmd cmd_cp = {
    .name = "cp",
    .group = "instances",
    .operands = "[NAME:]PATH|- [NAME:]PATH|-",
    .summary = "copy files between instances, your own directories and archives",
    .opts = cp_opts,
    .args_size = sizeof(struct cp_args),
    .operands_min = 2,
    .operands_max = 2,
    .aliases = aliases,
    .run = run,
};

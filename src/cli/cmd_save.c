/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/image_save.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct save_args {
	const char *output;
};

static const struct opt save_opts[] = {
    OPT(struct save_args, output, .name = "output", .letter = 'o', .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "archive to write, - or nothing for standard output"),
    OPT_END,
};

/* A file without a name in path's directory: killed, it leaves nothing.  -1 where the file system
 * has none. */
static int nameless(const char *path, struct arena *a)
{
	const char *slash = strrchr(path, '/');
	const char *dir = !slash	  ? "."
			  : slash == path ? "/"
					  : arena_dupn(a, path, (size_t)(slash - path));

	return open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

/* It gets the name `beside` (a template of mkostemp(), filled in). */
static int give_name(int fd, char *beside)
{
	char self[64];
	int taken = mkostemp(beside, O_CLOEXEC);

	/* The name is ours now; a link takes its place. */
	if (taken < 0 || close(taken) < 0 || unlink(beside) < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, beside, AT_SYMLINK_FOLLOW);
}

/* Written without a name or beside, and renamed: a failure leaves what was there before. */
static int to_file(struct session *s, const struct strs *names, const char *path, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	char *beside = arena_printf(&a, "%s.part-XXXXXX", path);
	auto_fd int fd = nameless(path, &a);
	bool unnamed = fd >= 0;
	mode_t mask = umask(0);
	int r;

	umask(mask);
	if (!unnamed)
		fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "'%s'", path);
	r = image_save_run(s, names, fd, e);
	if (r < 0)
		err_wrap(e, r, "'%s'", path);
	else if (fchmod(fd, 0666 & ~mask) < 0 || fsync(fd) < 0 ||
		 (unnamed && give_name(fd, beside) < 0) || rename(beside, path) < 0)
		r = err_sys(e, "'%s'", path);
	if (r < 0)
		unlink(beside);
	return r;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct save_args *sa = args;
	bool std = !sa->output || streq(sa->output, "-");
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int fd = -1;
	struct strs names = {0};
	struct stat st;

	for (int i = 0; i < argc; i++)
		arena_strs_add(&a, &names, argv[i]);
	/* A device or pipe is written to as it is. */
	if (!std && (stat(sa->output, &st) < 0 || S_ISREG(st.st_mode)))
		return to_file(s, &names, sa->output, e);
	fd = std ? dup(STDOUT_FILENO) : open(sa->output, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(e, "'%s'", std ? "standard output" : sa->output);
	if (isatty(fd))
		return err_set(e, ERR_USAGE,
			       "save does not write an archive to a terminal; use --output or a "
			       "pipe");
	return image_save_run(s, &names, fd, e);
}

static const char *const aliases[] = {"image save", NULL};

extern const struct cmd cmd_save;
const struct cmd cmd_save = {
    .name = "save",
    .group = "images",
    .operands = "IMAGE...",
    .summary = "write images into one archive for load, docker, podman or skopeo",
    .opts = save_opts,
    .args_size = sizeof(struct save_args),
    .operands_min = 1,
    .operands_max = -1,
    .aliases = aliases,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/image_pull.h"
#include "engine/session.h"
#include "fmt/reference.h"

#include <fcntl.h>
#include <stdio.h>

struct load_args {
	const char *input, *platform;
	const char *signature_policy;
	struct progress_args progress;
};

static const struct opt load_opts[] = {
    OPT(struct load_args, input, .name = "input", .letter = 'i', .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "archive to read, - or nothing for standard input"),
    OPT(struct load_args, platform, .name = "platform", .type = OPT_STR, .arg = "OS/ARCH",
	.help = "which platform of an image for several"),
    OPT(struct load_args, progress, .name = "progress", .type = OPT_TABLE, .table = progress_opts),
    OPT(struct load_args, signature_policy, .name = "signature-policy", .type = OPT_STR,
	.arg = "FILE", .complete = "file",
	.help = "policy.json to go by, instead of the user's or the machine's"),
    OPT_END,
};

static void report(const struct image_pulled *i, struct arena *a)
{
	for (size_t k = 0; k < i->names.n; k++)
		printf("Loaded image: %s\n", reference_familiar(a, i->names.v[k]));
	if (!i->names.n)
		printf("Loaded image ID: %s\n", i->id);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct load_args *la = args;
	bool std = !la->input || streq(la->input, "-");
	auto_fd int fd = std ? dup(STDIN_FILENO) : open(la->input, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	auto_arena struct arena a = ARENA_INIT;
	struct progress p;
	struct image_pull_opts o = {.platform = la->platform,
				    .data = s->data,
				    .progress = progress_show,
				    .arg = &p,
				    .signature_policy = la->signature_policy ? la->signature_policy
									     : s->signature_policy};
	struct image_loaded done;
	struct store *store;
	int r;

	if (fd < 0)
		return err_sys(e, "'%s'", std ? "standard input" : la->input);
	if (isatty(fd))
		return err_set(e, ERR_USAGE, "load reads an archive, not a terminal");
	r = session_store(s, &store, e);
	if (r < 0)
		return r;
	progress_init(&p, &la->progress, s);
	r = image_pull_load(store, fd, std ? "-" : la->input, &o, &a, &done, e);
	progress_done(&p);
	for (size_t i = 0; r >= 0 && i < done.n; i++)
		report(&done.v[i], &a);
	return r < 0 ? r : 0;
}

extern const struct cmd cmd_load;
const struct cmd cmd_load = {
    .name = "load",
    .group = "images",
    .operands = "",
    .summary = "bring every image of an archive (docker save, OCI layout in tar)",
    .opts = load_opts,
    .args_size = sizeof(struct load_args),
    .aliases = (const char *const[]){"image load", NULL},
    .run = run,
};

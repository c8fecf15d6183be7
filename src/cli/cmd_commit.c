/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "build/imageconf.h"
#include "cli/cmd.h"
#include "engine/commit.h"

#include <stdio.h>

struct commit_args {
	const char *author, *message;
	struct opt_list change;
	int compression;
	bool no_pause;
};

static const char *const codecs[] = {"gzip", "zstd", "none", NULL};

static const struct opt commit_opts[] = {
    OPT(struct commit_args, author, .name = "author", .letter = 'a', .type = OPT_STR, .arg = "NAME",
	.help = "who made it"),
    OPT(struct commit_args, change, .name = "change", .letter = 'c', .type = OPT_LIST,
	.arg = "INSTRUCTION",
	.help =
	    "a Dockerfile's CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, USER, VOLUME or WORKDIR"),
    OPT(struct commit_args, compression, .name = "compression", .type = OPT_ENUM, .values = codecs,
	.arg = "gzip|zstd|none", .preset = "gzip", .help = "of the new layer"),
    OPT(struct commit_args, message, .name = "message", .letter = 'm', .type = OPT_STR,
	.arg = "TEXT", .help = "comment in the image's history"),
    OPT(struct commit_args, no_pause, .name = "no-pause", .type = OPT_BOOL,
	.help = "let the instance run while its files are read"),
    OPT_END,
};

static int change(struct oci_config *c, struct arena *a, void *arg, struct err *e)
{
	return imageconf_changes(c, arg, a, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct commit_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct strs changes = {ca->change.v, ca->change.n};
	struct commit_opts o = {
	    .instance = argv[0],
	    .ref = argc > 1 ? argv[1] : NULL,
	    .author = ca->author,
	    .message = ca->message,
	    .codec = codecs[ca->compression],
	    .pause = !ca->no_pause,
	    .change = changes.n ? change : NULL,
	    .arg = &changes,
	};
	const char *id = NULL;
	int r = commit_run(s, &o, &a, &id, e);

	if (r < 0)
		return r;
	printf("%s\n", id);
	return 0;
}

static const char *const aliases[] = {"container commit", NULL};

extern const struct cmd cmd_commit;
const struct cmd cmd_commit = {
    .name = "commit",
    .group = "images",
    .operands = "INSTANCE [NAME[:TAG]]",
    .summary = "make an image of what an instance has become",
    .opts = commit_opts,
    .args_size = sizeof(struct commit_args),
    .operands_min = 1,
    .operands_max = 2,
    .aliases = aliases,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pretty.h"
#include "engine/pod.h"
#include "engine/pod_ctl.h"

struct pod_inspect_args {
	const char *format;
};

static const struct opt pod_inspect_opts[] = {
    OPT(struct pod_inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

static int describe(struct session *s, const char *name, struct buf *text, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup pod;
	int r = pod_find(s, name, &a, &pod, e);

	return r < 0 ? r : pod_ctl_inspect(s, &pod, text, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_inspect_args *ia = args;

	return pretty_each(s, argc, argv, ia->format, describe);
}

extern const struct cmd cmd_pod_inspect;
const struct cmd cmd_pod_inspect = {
    .name = "pod inspect",
    .group = "pods",
    .operands = "POD...",
    .summary = "what is known about pods, as JSON",
    .opts = pod_inspect_opts,
    .args_size = sizeof(struct pod_inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pretty.h"
#include "engine/pod.h"
#include "engine/pod_ctl.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

struct pod_inspect_args {
	const char *format;
};

static const struct opt pod_inspect_opts[] = {
    OPT(struct pod_inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

static int one(struct session *s, const char *name, const char *format, bool first, struct buf *out,
	       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(8 << 20);
	struct lookup pod;
	int r = pod_find(s, name, &a, &pod, e);

	if (r == 0)
		r = pod_ctl_inspect(s, &pod, &text, e);
	return r < 0 ? r : pretty_one(&text, format, first, out, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_inspect_args *ia = args;
	auto_buf struct buf out = BUF_INIT(256 << 20);
	int failed = 0, shown = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (one(s, argv[i], ia->format, !shown, &out, &why) < 0) {
			fprintf(stderr, "caisson: %s\n", why.msg);
			failed = 1;
		} else {
			shown++;
		}
	}
	if (!ia->format)
		buf_puts(&out, shown ? "\n]\n" : "[]\n");
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : failed;
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

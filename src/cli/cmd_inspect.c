/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pretty.h"
#include "engine/describe.h"
#include "engine/lookup.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

struct inspect_args {
	const char *format;
};

static const struct opt inspect_opts[] = {
    OPT(struct inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

static int one(struct session *s, const char *what, const char *format, bool first, struct buf *out,
	       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(8 << 20);
	struct lookup l;
	int r = lookup_find(s, what, &a, &l, e);

	if (r == 0)
		r = describe_inspect(s, &l, &text, e);
	if (r < 0)
		return r;
	return pretty_one(&text, format, first, out, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct inspect_args *a = args;
	auto_buf struct buf out = BUF_INIT(256 << 20);
	int failed = 0, shown = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (one(s, argv[i], a->format, !shown, &out, &why) < 0) {
			fprintf(stderr, "caisson: %s\n", why.msg);
			failed = 1;
		} else {
			shown++;
		}
	}
	if (!a->format)
		buf_puts(&out, shown ? "\n]\n" : "[]\n");
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : failed;
}

extern const struct cmd cmd_inspect;
const struct cmd cmd_inspect = {
    .name = "inspect",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "everything that is known about instances, as JSON",
    .opts = inspect_opts,
    .args_size = sizeof(struct inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

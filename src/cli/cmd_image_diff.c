/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/image_review.h"
#include "sys/fd.h"

#include <errno.h>
#include <unistd.h>

enum { FORMAT_TABLE, FORMAT_JSON };

struct image_diff_args {
	int format;
	bool times;
};

static const char *const formats[] = {"table", "json", NULL};

static const struct opt image_diff_opts[] = {
    OPT(struct image_diff_args, format, .name = "format", .type = OPT_ENUM, .arg = "table|json",
	.values = formats, .preset = "table", .help = "how the differences are printed"),
    OPT(struct image_diff_args, times, .name = "times", .type = OPT_BOOL,
	.help = "also files that differ in their time only"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct image_diff_args *da = args;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(512u << 20);
	struct review_changes l = {0};
	int r = image_review_compare(s, argv[0], argv[1], da->times, &a, &l, e);

	if (r < 0)
		return r;
	if (da->format == FORMAT_JSON) {
		review_changes_print(&l, &out);
		buf_puts(&out, "\n");
	}
	for (size_t i = 0; da->format == FORMAT_TABLE && i < l.changes.n; i++) {
		const struct review_change *c = &l.changes.v[i];

		buf_printf(&out, "%s %s%s%s\n", c->kind, c->path, c->detail ? "  " : "",
			   c->detail ? c->detail : "");
	}
	r = buf_fail(&out, "output", e);
	if (r < 0)
		return r;
	errno = -fd_write_all(STDOUT_FILENO, out.p, out.len);
	return errno ? err_sys(e, "cannot write") : 0;
}

extern const struct cmd cmd_image_diff;
const struct cmd cmd_image_diff = {
    .name = "image diff",
    .group = "images",
    .operands = "IMAGE IMAGE",
    .summary = "list what is different in the files of two images",
    .opts = image_diff_opts,
    .args_size = sizeof(struct image_diff_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};

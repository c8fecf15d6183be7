/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/pretty.h"
#include "engine/image_ctl.h"
#include "engine/session.h"

#include <stdio.h>

struct image_inspect_args {
	const char *format;
};

static const struct opt image_inspect_opts[] = {
    OPT(struct image_inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

/* What was found is printed even when another name was not, as docker does. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct image_inspect_args *a = args;
	auto_buf struct buf out = BUF_INIT(64 << 20);
	int r = 0, shown = 0;

	for (int i = 0; r >= 0 && i < argc; i++) {
		auto_buf struct buf text = BUF_INIT(32 << 20);

		r = image_ctl_inspect(s, argv[i], &text, e);
		if (r >= 0)
			r = pretty_one(&text, a->format, !shown, &out, e);
		shown += r >= 0;
	}
	if (!a->format)
		buf_puts(&out, shown ? "\n]\n" : "[]\n");
	if (buf_fail(&out, "output", NULL) == 0)
		fwrite(out.p, 1, out.len, stdout);
	return r < 0 ? r : buf_fail(&out, "output", e);
}

extern const struct cmd cmd_image_inspect;
const struct cmd cmd_image_inspect = {
    .name = "image inspect",
    .group = "images",
    .operands = "IMAGE...",
    .summary = "print what is known of images, as JSON",
    .opts = image_inspect_opts,
    .args_size = sizeof(struct image_inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/template.h"
#include "engine/network_ctl.h"
#include "fmt/json.h"

#include <stdio.h>

struct network_inspect_args {
	const char *format;
};

static const struct opt network_inspect_opts[] = {
    OPT(struct network_inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "a template over each network's description"),
    OPT_END,
};

static int one(struct session *s, const char *what, const char *format, bool first, struct buf *out,
	       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(32 << 20);
	auto_json struct json *j = NULL;
	struct network n;
	int r = network_ctl_find(s, what, &a, &n, e);

	if (r == 0)
		r = network_ctl_inspect(s, &n, &text, e);
	if (r < 0)
		return r;
	if (!format) {
		buf_printf(out, "%s\n%s", first ? "" : ",", text.p);
		return 0;
	}
	r = json_parse(text.p, text.len, "network", &j, e);
	if (r == 0)
		r = template_print(format, j, out, e);
	buf_puts(out, "\n");
	return r;
}

/* What was found is printed even when another name was not, as docker does. */
static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_inspect_args *ia = args;
	auto_buf struct buf out = BUF_INIT(64 << 20);
	int r = 0;

	buf_puts(&out, ia->format ? "" : "[");
	for (int i = 0; r >= 0 && i < argc; i++)
		r = one(s, argv[i], ia->format, i == 0, &out, e);
	if (!ia->format)
		buf_puts(&out, out.len > 1 ? "\n]\n" : "]\n");
	if (buf_fail(&out, "output", NULL) == 0)
		fwrite(out.p, 1, out.len, stdout);
	return r < 0 ? r : buf_fail(&out, "output", e);
}

extern const struct cmd cmd_network_inspect;
const struct cmd cmd_network_inspect = {
    .name = "network inspect",
    .group = "networks",
    .operands = "NETWORK...",
    .summary = "print what is known of networks, as JSON",
    .opts = network_inspect_opts,
    .args_size = sizeof(struct network_inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};

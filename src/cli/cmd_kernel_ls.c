/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "engine/kernel_ctl.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdbool.h>

struct kernel_ls_args {
	bool quiet, json;
};

static const struct opt kernel_ls_opts[] = {
    OPT(struct kernel_ls_args, json, .name = "json", .type = OPT_BOOL,
	.help = "one JSON object per line"),
    OPT(struct kernel_ls_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "names only"),
    OPT_END,
};

static void row_json(const struct kernel_row *k, struct buf *out)
{
	buf_puts(out, "{\"Name\":");
	json_quote(out, k->name);
	buf_puts(out, ",\"Package\":");
	json_quote(out, k->package);
	buf_puts(out, ",\"Directory\":");
	json_quote(out, k->dir);
	buf_printf(
	    out, ",\"Default\":%s,\"Ours\":%s,\"Acpi\":%s,\"Bytes\":%" PRIu64 ",\"Modules\":%zu}\n",
	    k->chosen ? "true" : "false", k->ours ? "true" : "false", k->acpi ? "true" : "false",
	    k->bytes, k->modules);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kernel_ls_args *la = args;
	auto_buf struct buf lines = BUF_INIT(1 << 20);
	auto_arena struct arena a = ARENA_INIT;
	struct kernel_rows all;
	int r = kernel_ctl_list(s, &a, &all, e);

	if (r < 0)
		return r;
	if (!la->quiet && !la->json)
		buf_puts(&lines, "NAME\tDEFAULT\tMODULES\tSIZE\tFROM\n");
	for (size_t i = 0; i < all.n; i++) {
		const struct kernel_row *k = &all.v[i];

		if (la->json)
			row_json(k, &lines);
		else if (la->quiet)
			buf_printf(&lines, "%s\n", k->name);
		else
			buf_printf(&lines, "%s\t%s\t%zu\t%" PRIu64 "M\t%s\n", k->name,
				   k->chosen ? "yes" : "", k->modules, k->bytes >> 20, k->package);
	}
	return listing_print(&lines, !la->quiet && !la->json, e);
}

extern const struct cmd cmd_kernel_ls;
const struct cmd cmd_kernel_ls = {
    .name = "kernel ls",
    .group = "kernels of machines",
    .operands = "",
    .summary = "list the kernels that a vm can run",
    .opts = kernel_ls_opts,
    .args_size = sizeof(struct kernel_ls_args),
    .aliases = (const char *const[]){"kernel list", NULL},
    .run = run,
};

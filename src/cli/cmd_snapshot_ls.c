/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/template.h"
#include "engine/lookup.h"
#include "engine/snapshot_ctl.h"
#include "fmt/json.h"
#include "fmt/utf8.h"
#include "sys/fd.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct snapshot_ls_args {
	bool quiet, json;
};

static const struct opt snapshot_ls_opts[] = {
    OPT(struct snapshot_ls_args, json, .name = "json", .type = OPT_BOOL,
	.help = "one JSON object per line"),
    OPT(struct snapshot_ls_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "names only"),
    OPT_END,
};

static void row_json(const struct snapshot_row *k, struct buf *out)
{
	buf_puts(out, "{\"Name\":");
	json_quote(out, k->name);
	buf_puts(out, ",\"Instance\":");
	json_quote(out, k->instance);
	buf_printf(out, ",\"Kind\":\"%s\",\"CreatedNs\":%" PRId64 ",\"Bytes\":%" PRIu64 "}\n",
		   k->kind, k->created_ns, k->bytes);
}

static void row_text(const struct snapshot_row *k, struct arena *a, struct buf *out)
{
	struct timespec t;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &t);
	now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	buf_printf(out, "%s\t%s\t%s\t%s ago\t%" PRIu64 "M\n", k->name, k->instance, k->kind,
		   lookup_duration(now - k->created_ns, a), k->bytes >> 20);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct snapshot_ls_args *la = args;
	auto_buf struct buf lines = BUF_INIT(16 << 20), out = BUF_INIT(16 << 20);
	auto_arena struct arena a = ARENA_INIT;
	struct strs broken = {0};
	struct snapshot_rows all;
	int r = snapshot_ctl_list(s, &a, &all, &broken, e);

	if (r < 0)
		return r;
	if (!la->quiet && !la->json)
		buf_puts(&lines, "NAME\tINSTANCE\tKIND\tCREATED\tSIZE\n");
	for (size_t i = 0; i < all.n; i++)
		if (la->json)
			row_json(&all.v[i], &lines);
		else if (la->quiet)
			buf_printf(&lines, "%s\n", all.v[i].name);
		else
			row_text(&all.v[i], &a, &lines);
	if (la->quiet || la->json)
		buf_add(&out, lines.p, lines.len);
	else
		template_align(&lines, &out);
	/* They can be looked at, and removed. */
	for (size_t i = 0; i < broken.n; i++) {
		auto_buf struct buf name = BUF_INIT(4096);

		utf8_visible(&name, broken.v[i]);
		fprintf(stderr, "caisson: snapshot '%s' cannot be read: see snapshot inspect\n",
			name.p);
	}
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : 0;
}

extern const struct cmd cmd_snapshot_ls;
const struct cmd cmd_snapshot_ls = {
    .name = "snapshot ls",
    .group = "snapshots",
    .operands = "",
    .summary = "list snapshots",
    .opts = snapshot_ls_opts,
    .args_size = sizeof(struct snapshot_ls_args),
    .aliases = (const char *const[]){"snapshot list", NULL},
    .run = run,
};

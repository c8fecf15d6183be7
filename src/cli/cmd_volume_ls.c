/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/template.h"
#include "engine/volume_ctl.h"

#include <stdbool.h>

struct volume_ls_args {
	bool quiet;
	const char *format;
	struct opt_list filter;
};

static const struct opt volume_ls_opts[] = {
    OPT_NO("cluster", NULL, "volumes of a cluster: there is none"),
    OPT(struct volume_ls_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "dangling=true|false, driver=, label=K[=V], name=PART"),
    OPT(struct volume_ls_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.help = "table, json, or a template"),
    OPT(struct volume_ls_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "names only"),
    OPT_END,
};

static const char *const heads[][2] = {
    {"Driver", "DRIVER"},	  {"Name", "VOLUME NAME"},
    {"Mountpoint", "MOUNTPOINT"}, {"Labels", "LABELS"},
    {"Scope", "SCOPE"},		  {"Size", "SIZE"},
    {"Links", "LINKS"},		  {NULL, NULL},
};

static int print(struct session *s, const struct volume_ls_args *la, const struct volumes *all,
		 struct arena *a, struct err *e)
{
	const char *format = la->format ? la->format : "table", *t = template_table(format);
	auto_buf struct buf lines = BUF_INIT(64 << 20);
	bool table = t && !la->quiet, json = streq(format, "json") && !la->quiet;
	int r = 0;

	format = la->quiet ? "{{.Name}}" : !t ? format : *t ? t : "{{.Driver}}\\t{{.Name}}";
	if (table)
		template_head(format, heads, &lines);
	for (size_t i = 0; r == 0 && i < all->n; i++) {
		auto_buf struct buf row = BUF_INIT(4 << 20);
		struct strs labels = volume_ctl_labels(&all->v[i], a);

		volume_ctl_row(s, &all->v[i], a, &row);
		if (json)
			buf_printf(&lines, "%s\n", row.p);
		else
			template_label(format, &labels, &row);
		if (!json)
			r = template_row(format, &row, &lines, e);
	}
	if (r < 0)
		return r;
	return listing_print(&lines, table, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct volume_ls_args *la = args;
	const struct strs filters = {la->filter.v, la->filter.n};
	auto_arena struct arena a = ARENA_INIT;
	struct volumes all;
	int r = volume_ctl_list(s, &filters, &a, &all, e);

	return r < 0 ? r : print(s, la, &all, &a, e);
}

extern const struct cmd cmd_volume_ls;
const struct cmd cmd_volume_ls = {
    .name = "volume ls",
    .group = "volumes",
    .operands = "",
    .summary = "list volumes",
    .opts = volume_ls_opts,
    .args_size = sizeof(struct volume_ls_args),
    .aliases = (const char *const[]){"volume list", NULL},
    .run = run,
};

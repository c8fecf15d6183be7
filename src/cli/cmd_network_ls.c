/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/template.h"
#include "engine/network_ctl.h"

struct network_ls_args {
	bool quiet, no_trunc;
	const char *format;
	struct opt_list filter;
};

static const struct opt network_ls_opts[] = {
    OPT(struct network_ls_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "name=, id=, driver=, label=, type=, scope=, dangling="),
    OPT(struct network_ls_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.preset = "table", .help = "table, json, or a template"),
    OPT(struct network_ls_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "whole ids"),
    OPT(struct network_ls_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "ids only"),
    OPT_END,
};

static const char table[] = "{{.ID}}\\t{{.Name}}\\t{{.Driver}}\\t{{.Scope}}";
static const char *const heads[][2] = {
    {"ID", "NETWORK ID"},
    {"Name", "NAME"},
    {"Driver", "DRIVER"},
    {"Scope", "SCOPE"},
    {"IPv4", "IPV4"},
    {"IPv6", "IPV6"},
    {"Internal", "INTERNAL"},
    {"Labels", "LABELS"},
    {"CreatedAt", "CREATED AT"},
    {NULL, NULL},
};

static int print(const struct network_ls_args *la, const struct networks *l, struct err *e)
{
	const char *as_table = la->quiet ? NULL : template_table(la->format), *t = la->format;
	auto_buf struct buf lines = BUF_INIT(64 << 20);
	bool json = !la->quiet && streq(la->format, "json");
	int r = 0;

	if (la->quiet)
		t = "{{.ID}}";
	else if (as_table)
		t = *as_table ? as_table : table;
	if (as_table)
		template_head(t, heads, &lines);
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		auto_buf struct buf row = BUF_INIT(1 << 20);

		network_ctl_row(&l->v[i], la->no_trunc, &row);
		if (json)
			buf_printf(&lines, "%s\n", row.p);
		else
			template_label(t, &l->v[i].labels, &row);
		if (!json)
			r = template_row(t, &row, &lines, e);
	}
	if (r < 0)
		return r;
	return listing_print(&lines, as_table != NULL, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_ls_args *la = args;
	const struct strs filters = {la->filter.v, la->filter.n};
	auto_arena struct arena a = ARENA_INIT;
	struct networks l;
	int r = network_ctl_list(s, &filters, &a, &l, e);

	return r < 0 ? r : print(la, &l, e);
}

static const char *const aliases[] = {"network list", NULL};

extern const struct cmd cmd_network_ls;
const struct cmd cmd_network_ls = {
    .name = "network ls",
    .group = "networks",
    .operands = "",
    .summary = "list networks",
    .opts = network_ls_opts,
    .args_size = sizeof(struct network_ls_args),
    .aliases = aliases,
    .run = run,
};

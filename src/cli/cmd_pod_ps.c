/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/template.h"
#include "engine/lookup.h"
#include "engine/pod_ctl.h"
#include "engine/remove.h"

#include <stdbool.h>
#include <time.h>

struct pod_ps_args {
	bool quiet, no_trunc, latest;
	const char *format;
	struct opt_list filter;
};

static const struct opt pod_ps_opts[] = {
    OPT(struct pod_ps_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE",
	.help = "id=, name=, label=, status=, network=, ctr-names=, ctr-ids=, ctr-number="),
    OPT(struct pod_ps_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.preset = "table", .help = "table, json, or a template"),
    OPT(struct pod_ps_args, latest, .name = "latest", .letter = 'l', .type = OPT_BOOL,
	.help = "the newest one"),
    OPT(struct pod_ps_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL, .help = "whole ids"),
    OPT(struct pod_ps_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "ids only"),
    OPT_END,
};

static const char table[] = "{{.Id}}\\t{{.Name}}\\t{{.Status}}\\t{{.Created}}\\t{{.InfraId}}"
			    "\\t{{.NumberOfContainers}}";
static const char *const heads[][2] = {
    {"Id", "POD ID"},
    {"ID", "POD ID"},
    {"Name", "NAME"},
    {"Status", "STATUS"},
    {"Created", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"InfraId", "INFRA ID"},
    {"NumberOfContainers", "# OF CONTAINERS"},
    {"Isolation", "ISOLATION"},
    {"Networks", "NETWORKS"},
    {"Labels", "LABELS"},
    {"Share", "SHARE"},
    {NULL, NULL},
};

static int rows(struct session *s, const struct pod_ps_args *pa, const struct lookups *l,
		const char *template, struct buf *out, struct err *e)
{
	struct timespec t;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	for (size_t i = 0; r == 0 && i < (pa->latest && l->n ? 1 : l->n); i++) {
		auto_buf struct buf row = BUF_INIT(4 << 20);

		r = pod_ctl_row(s, &l->v[i], pa->no_trunc || !template,
				(int64_t)t.tv_sec * 1000000000 + t.tv_nsec, &row, e);
		if (r == 0 && template)
			r = template_row(template, &row, out, e);
		else if (r == 0)
			buf_printf(out, "%s%s", i ? ",\n" : "", row.p);
	}
	return r;
}

static int print(struct session *s, const struct pod_ps_args *pa, const struct lookups *l,
		 struct err *e)
{
	const char *as_table = pa->quiet ? NULL : template_table(pa->format), *t = pa->format;
	auto_buf struct buf lines = BUF_INIT(64 << 20);
	bool json = !pa->quiet && streq(pa->format, "json");
	int r;

	if (pa->quiet)
		t = "{{.Id}}";
	else if (as_table)
		t = *as_table ? as_table : table;
	if (as_table)
		template_head(t, heads, &lines);
	if (json) /* podman's ps gives an array */
		buf_puts(&lines, "[");
	r = rows(s, pa, l, json ? NULL : t, &lines, e);
	if (r < 0)
		return r;
	if (json)
		buf_puts(&lines, "]\n");
	return listing_print(&lines, as_table != NULL, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_ps_args *pa = args;
	const struct strs filters = {pa->filter.v, pa->filter.n};
	auto_arena struct arena a = ARENA_INIT;
	struct lookups l;
	int r = pod_ctl_list(s, &filters, &a, &l, e);

	if (r == 0)
		r = print(s, pa, &l, e);
	remove_leftovers(s, NULL);
	return r;
}

extern const struct cmd cmd_pod_ps;
const struct cmd cmd_pod_ps = {
    .name = "pod ps",
    .group = "pods",
    .operands = "",
    .summary = "list pods",
    .opts = pod_ps_opts,
    .args_size = sizeof(struct pod_ps_args),
    .aliases = (const char *const[]){"pod ls", "pod list", NULL},
    .run = run,
};

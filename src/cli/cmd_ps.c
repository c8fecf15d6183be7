/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/progress.h"
#include "cli/template.h"
#include "engine/describe.h"
#include "engine/lookup.h"
#include "engine/psfilter.h"
#include "engine/remove.h"
#include "engine/usage.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ps_args {
	bool all, quiet, no_trunc, latest, size, pod;
	int64_t last;
	const char *format;
	struct opt_list filter;
};

static const struct opt ps_opts[] = {
    OPT(struct ps_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "also those that do not run"),
    OPT(struct ps_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "only those for which this holds, such as status=exited"),
    OPT(struct ps_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.help = "table, json, or a template"),
    OPT(struct ps_args, last, .name = "last", .letter = 'n', .type = OPT_INT, .arg = "N", .min = -1,
	.max = 1 << 20, .preset = "-1", .help = "the newest n, running or not"),
    OPT(struct ps_args, latest, .name = "latest", .letter = 'l', .type = OPT_BOOL,
	.help = "the newest one, running or not"),
    OPT(struct ps_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "do not shorten ids and commands"),
    OPT(struct ps_args, pod, .name = "pod", .letter = 'p', .type = OPT_BOOL,
	.help = "also the pod each is in"),
    OPT(struct ps_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "ids only"),
    OPT(struct ps_args, size, .name = "size", .letter = 's', .type = OPT_BOOL,
	.help = "also how much disk space each takes"),
    OPT_END,
};

static const char table[] = "{{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}"
			    "\\t{{.Ports}}\\t{{.Names}}";
static const char table_size[] = "\\t{{.Size}}";
static const char table_pod[] = "\\t{{.Pod}}\\t{{.PodName}}";
static const char *const heads[][2] = {
    {"ID", "CONTAINER ID"},	{"Image", "IMAGE"},
    {"Command", "COMMAND"},	{"RunningFor", "CREATED"},
    {"Status", "STATUS"},	{"State", "STATE"},
    {"Ports", "PORTS"},		{"Names", "NAMES"},
    {"Labels", "LABELS"},	{"CreatedAt", "CREATED AT"},
    {"Isolation", "ISOLATION"}, {"Mounts", "MOUNTS"},
    {"Networks", "NETWORKS"},	{"LocalVolumes", "LOCAL VOLUMES"},
    {"Size", "SIZE"},		{"Pod", "POD ID"},
    {"PodName", "PODNAME"},	{NULL, NULL},
};

/* ---- output ---- */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The row is ours and ends with a brace: one more member goes in front of it. */
static void add_size(struct session *s, const struct lookup *l, struct buf *row)
{
	uint64_t own = 0, image = 0;
	char x[16], y[16];

	usage_of_instance(s, &l->i, &own, &image);
	row->len--;
	buf_printf(row, ",\"Size\":\"%s (virtual %s)\"}", progress_size(own, x),
		   progress_size(own + image, y));
}

static void add_pod(const struct lookups *all, const struct lookup *l, bool full, struct buf *row)
{
	const char *name = "";

	for (size_t i = 0; l->i.pod && i < all->n; i++)
		if (streq(all->v[i].i.id, l->i.pod))
			name = all->v[i].i.name;
	row->len--;
	buf_printf(row, ",\"Pod\":\"%.*s\",\"PodName\":\"%s\"}", full ? 64 : 12,
		   l->i.pod ? l->i.pod : "", name);
}

static int row(struct session *s, const struct ps_args *a, const struct lookups *all,
	       const struct lookup *l, const char *template, struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(4 << 20);
	/* With 500 instances the difference is several milliseconds. */
	bool more = !template || strstr(template, ".Mounts") || strstr(template, ".Networks") ||
		    strstr(template, ".LocalVolumes") || strstr(template, "json");
	bool pod = !template || strstr(template, ".Pod") || strstr(template, "json");
	unsigned int flags = (a->no_trunc ? DESCRIBE_FULL : 0u) | (more ? DESCRIBE_MORE : 0u);

	describe_row(l, now_ns(), flags, &text);
	if (a->size || (template && strstr(template, ".Size")))
		add_size(s, l, &text);
	if (pod)
		add_pod(all, l, a->no_trunc, &text);
	if (template)
		template_label(template, &l->i.labels, &text);
	if (template)
		return template_row(template, &text, out, e);
	buf_printf(out, "%s\n", text.p);
	return 0;
}

static int print(struct session *s, const struct ps_args *a, const struct lookups *all,
		 const struct psfilter *f, struct err *e)
{
	const char *as_table = a->format ? template_table(a->format) : table, *t;
	bool json = a->format && streq(a->format, "json");
	auto_buf struct buf lines = BUF_INIT(64 << 20), own = BUF_INIT(1024);
	int64_t left = a->latest ? 1 : a->last;
	bool every = a->all || left >= 0 || f->states;
	int r = 0;

	buf_printf(&own, "%s%s%s", table, a->pod ? table_pod : "", a->size ? table_size : "");
	t = a->quiet   ? "{{.ID}}"
	    : as_table ? (*as_table && a->format ? as_table : own.p)
		       : a->format;
	if (!a->quiet && as_table)
		template_head(t, heads, &lines);
	for (size_t i = 0; r == 0 && i < all->n && left != 0; i++) {
		const struct lookup *l = &all->v[i];

		if ((!every && !l->state.pid) || !psfilter_fits(f, l))
			continue;
		left--;
		r = row(s, a, all, l, json && !a->quiet ? NULL : t, &lines, e);
	}
	if (r < 0)
		return r;
	return listing_print(&lines, as_table && !a->quiet, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct ps_args *pa = args;
	const struct strs filters = {pa->filter.v, pa->filter.n};
	struct psfilter f;
	struct lookups all;
	int r = psfilter_init(s, &filters, &f, e);

	if (r == 0)
		r = lookup_all(s, &a, &all, e);
	if (r == 0)
		r = print(s, pa, &all, &f, e);
	/* After the answer: the next command finds less to do. */
	remove_leftovers(s, r == 0 ? &all : NULL);
	return r;
}

static const char *const aliases[] = {"container ls", "container list", NULL};

extern const struct cmd cmd_ps;
const struct cmd cmd_ps = {
    .name = "ps",
    .group = "instances",
    .operands = "",
    .summary = "list instances",
    .opts = ps_opts,
    .args_size = sizeof(struct ps_args),
    .aliases = aliases,
    .run = run,
};

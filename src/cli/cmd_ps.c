/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/template.h"
#include "engine/describe.h"
#include "engine/lookup.h"
#include "engine/remove.h"
#include "sys/fd.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct ps_args {
	bool all, quiet, no_trunc, latest;
	int64_t last;
	const char *format;
	struct opt_list filter;
};

static const struct opt ps_opts[] = {
    OPT(struct ps_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "also those that do not run"),
    OPT(struct ps_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "id, name, label, status, ancestor, exited or isolation"),
    OPT(struct ps_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.help = "table, json, or a template"),
    OPT(struct ps_args, last, .name = "last", .letter = 'n', .type = OPT_INT, .arg = "N", .min = -1,
	.max = 1 << 20, .preset = "-1", .help = "the newest n, running or not"),
    OPT(struct ps_args, latest, .name = "latest", .letter = 'l', .type = OPT_BOOL,
	.help = "the newest one, running or not"),
    OPT(struct ps_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "do not shorten ids and commands"),
    OPT(struct ps_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "ids only"),
    OPT_END,
};

static const char table[] = "{{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}"
			    "\\t{{.Ports}}\\t{{.Names}}";
static const char *const heads[][2] = {
    {"ID", "CONTAINER ID"},	 {"Image", "IMAGE"},	     {"Command", "COMMAND"},
    {"RunningFor", "CREATED"},	 {"Status", "STATUS"},	     {"State", "STATE"},
    {"Ports", "PORTS"},		 {"Names", "NAMES"},	     {"Labels", "LABELS"},
    {"CreatedAt", "CREATED AT"}, {"Isolation", "ISOLATION"}, {NULL, NULL},
};

/* ---- filters: values of one key are alternatives, keys are conditions ---- */

static const char *const filter_keys[] = {"id",	      "name",	"label",     "status",
					  "ancestor", "exited", "isolation", NULL};

static bool label_matches(const struct lookup *l, const char *want)
{
	size_t n = strlen(want);

	for (size_t i = 0; i < l->i.labels.n; i++) {
		const char *have = l->i.labels.v[i];

		if (streq(have, want) ||
		    (!strchr(want, '=') && strncmp(have, want, n) == 0 && have[n] == '='))
			return true;
	}
	return false;
}

static bool matches(const struct lookup *l, const char *key, const char *want)
{
	if (streq(key, "id"))
		return strncmp(l->i.id, want, strlen(want)) == 0;
	if (streq(key, "name"))
		return strstr(l->i.name, *want == '/' ? want + 1 : want) != NULL;
	if (streq(key, "label"))
		return label_matches(l, want);
	if (streq(key, "status"))
		return streq(lookup_status(l), want);
	if (streq(key, "ancestor"))
		return streq(l->i.image, want) || streq(l->i.image_id, want) ||
		       (strlen(want) >= 12 && strncmp(l->i.image_id + 7, want, strlen(want)) == 0);
	if (streq(key, "isolation"))
		return streq(want, l->i.isolation ? "vm" : "container");
	return l->state.status == INSTANCE_EXITED && l->state.exit_code == strtol(want, NULL, 10);
}

static bool wanted(const struct lookup *l, const struct opt_list *f)
{
	for (const char *const *k = filter_keys; *k; k++) {
		bool asked = false, hit = false;

		for (size_t i = 0; i < f->n; i++) {
			const char *v = str_after(f->v[i], *k);

			if (!v || *v != '=')
				continue;
			asked = true;
			hit |= matches(l, *k, v + 1);
		}
		/* Labels are the exception: all of them must be there. */
		for (size_t i = 0; streq(*k, "label") && i < f->n; i++)
			if (str_after(f->v[i], "label="))
				hit &= label_matches(l, f->v[i] + 6);
		if (asked && !hit)
			return false;
	}
	return true;
}

static int check_filters(const struct opt_list *f, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		size_t n = strcspn(f->v[i], "=");
		bool known = false;

		for (const char *const *k = filter_keys; *k; k++)
			known |= strlen(*k) == n && strncmp(*k, f->v[i], n) == 0;
		if (!known || !f->v[i][n])
			return err_set(e, ERR_USAGE, "--filter does not know '%.60s'", f->v[i]);
	}
	return 0;
}

static bool names_status(const struct opt_list *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_after(f->v[i], "status=") || str_after(f->v[i], "exited="))
			return true;
	return false;
}

/* ---- output ---- */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int row(const struct ps_args *a, const struct lookup *l, const char *template, bool json,
	       struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(4 << 20);

	describe_row(l, now_ns(), a->no_trunc, &text);
	if (json) {
		buf_printf(out, "%s\n", text.p);
		return 0;
	}
	return template_row(template, &text, out, e);
}

static int print(const struct ps_args *a, const struct lookups *all, struct err *e)
{
	const char *as_table = a->format ? template_table(a->format) : table, *t;
	bool json = a->format && streq(a->format, "json");
	auto_buf struct buf lines = BUF_INIT(64 << 20), out = BUF_INIT(64 << 20);
	int64_t left = a->latest ? 1 : a->last;
	bool every = a->all || left >= 0 || names_status(&a->filter);
	int r = 0;

	t = a->quiet ? "{{.ID}}" : as_table ? (*as_table ? as_table : table) : a->format;
	if (!a->quiet && as_table)
		template_head(t, heads, &lines);
	for (size_t i = 0; r == 0 && i < all->n && left != 0; i++) {
		const struct lookup *l = &all->v[i];

		if ((!every && !l->state.pid) || !wanted(l, &a->filter))
			continue;
		left--;
		r = row(a, l, t, json && !a->quiet, &lines, e);
	}
	if (r < 0)
		return r;
	if (as_table && !a->quiet)
		template_align(&lines, &out);
	else
		buf_add(&out, lines.p, lines.len);
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct ps_args *pa = args;
	struct lookups all;
	int r = check_filters(&pa->filter, e);

	if (r == 0)
		r = lookup_all(s, &a, &all, e);
	if (r == 0)
		r = print(pa, &all, e);
	/* After the answer: the next command finds less to do. */
	remove_leftovers(s);
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

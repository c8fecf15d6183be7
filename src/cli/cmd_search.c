/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/template.h"
#include "engine/members.h"
#include "engine/registry_search.h"
#include "engine/session.h"
#include "fmt/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <unistd.h>

#define SHOWN_MAX 45 /* characters of a description, as docker's */
#define ROW_MAX	  (16u << 20)

struct search_args {
	const char *format;
	int64_t limit;
	bool no_trunc;
	struct opt_list filter;
};

static const struct opt search_opts[] = {
    OPT(struct search_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "stars=N or more, is-official=, is-automated=true|false"),
    OPT(struct search_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.preset = "table", .help = "table, json, or a template"),
    OPT(struct search_args, limit, .name = "limit", .type = OPT_INT, .arg = "N", .min = INT32_MIN,
	.max = INT32_MAX, .help = "at most so many, 1 to 100 (25)"),
    OPT(struct search_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "whole descriptions"),
    OPT_END,
};

static const char table[] =
    "{{.Name}}\\t{{.Description}}\\t{{.StarCount}}\\t{{.IsOfficial}}\\t{{.IsAutomated}}";
static const char *const heads[][2] = {
    {"Name", "NAME"},		{"Description", "DESCRIPTION"}, {"StarCount", "STARS"},
    {"IsOfficial", "OFFICIAL"}, {"IsAutomated", "AUTOMATED"},	{NULL, NULL},
};

/* One line, cut between characters. */
static const char *one_line(const char *text, bool whole, struct arena *a)
{
	char *out = arena_dup(a, text ? text : "");
	size_t n = 0, len = strlen(out), last = 0;

	for (char *p = out; *p; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	for (size_t at = 0; !whole && at < len; n++) {
		size_t w = utf8_sequence(out + at, len - at);

		if (n == SHOWN_MAX)
			return arena_printf(a, "%.*s…", (int)last, out);
		at += w ? w : 1;
		last = n + 1 < SHOWN_MAX ? at : last;
	}
	return out;
}

static const char *yes(bool v, bool json)
{
	return json ? (v ? "true" : "false") : v ? "[OK]" : "";
}

static void row(const struct fetch_found *v, const struct search_args *sa, bool json,
		struct arena *a, struct buf *out)
{
	struct members w = {.b = out};

	buf_puts(out, "{");
	members_str(&w, "Description", one_line(v->description, sa->no_trunc, a));
	members_str(&w, "IsAutomated", yes(v->automated, json));
	members_str(&w, "IsOfficial", yes(v->official, json));
	members_str(&w, "Name", one_line(v->name, true, a));
	members_str(&w, "StarCount", arena_printf(a, "%" PRId64, v->stars));
	buf_puts(out, "}");
}

/* Of JSON, whose own escapes leave C1 (U+0080 to U+009F) alone: terminals obey those, too. */
static void without_c1(const struct buf *text, struct buf *out)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->p[i];
		unsigned char next = i + 1 < text->len ? (unsigned char)text->p[i + 1] : 0;

		if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			buf_printf(out, "\\u%04x", next);
			i++;
		} else {
			buf_add(out, text->p + i, 1);
		}
	}
	buf_puts(out, "\n");
}

static int print(const struct search_args *sa, const struct fetch_founds *l, struct arena *a,
		 struct err *e)
{
	const char *as_table = template_table(sa->format), *t = sa->format;
	auto_buf struct buf lines = BUF_INIT(64 << 20);
	bool json = streq(sa->format, "json");
	int r = 0;

	if (as_table) {
		t = *as_table ? as_table : table;
		template_head(t, heads, &lines);
	}
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		auto_buf struct buf text = BUF_INIT(ROW_MAX);

		row(&l->v[i], sa, json, a, &text);
		if (json)
			without_c1(&text, &lines);
		else
			r = template_row(t, &text, &lines, e);
	}
	if (r < 0)
		return r;
	return listing_print(&lines, as_table != NULL, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct search_args *sa = args;
	struct registry_search_opts o = {
	    .term = argv[0], .limit = sa->limit, .filters = {sa->filter.v, sa->filter.n}};
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_founds found;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = registry_search_run(store, &o, &a, &found, e);
	return r < 0 ? r : print(sa, &found, &a, e);
}

extern const struct cmd cmd_search;
const struct cmd cmd_search = {
    .name = "search",
    .group = "registries",
    .operands = "TERM",
    .summary = "search a registry's index for images",
    .opts = search_opts,
    .args_size = sizeof(struct search_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

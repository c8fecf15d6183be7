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
#include "engine/image_history.h"
#include "engine/lookup.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SHORT_COMMAND 44

struct history_args {
	bool no_trunc, quiet;
	const char *format;
};

static const struct opt history_opts[] = {
    OPT(struct history_args, format, .name = "format", .type = OPT_STR,
	.arg = "table|json|TEMPLATE", .preset = "table",
	.help = "a template holds ID, CreatedSince, CreatedAt, CreatedBy, Size, Comment"),
    OPT(struct history_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "do not shorten ids and commands"),
    OPT(struct history_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "ids only"),
    OPT_END,
};

static const char table[] =
    "{{.ID}}\\t{{.CreatedSince}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}";
static const char *const heads[][2] = {
    {"ID", "IMAGE"},  {"CreatedSince", "CREATED"}, {"CreatedAt", "CREATED AT"},
    {"Size", "SIZE"}, {"CreatedBy", "CREATED BY"}, {"Comment", "COMMENT"},
    {NULL, NULL},
};

/* The image's text on one line: what would move columns becomes blanks. */
static const char *flat(const char *s, size_t max, struct arena *a)
{
	char *out = arena_dup(a, s);

	for (char *p = out; *p; p++)
		if (*p == '\t' || *p == '\n' || *p == '\r')
			*p = ' ';
	if (strlen(out) <= max)
		return out;
	/* Not in the middle of a character. */
	while (max && ((unsigned char)out[max] & 0xc0) == 0x80)
		max--;
	return arena_printf(a, "%.*s...", (int)max, out);
}

static void member(struct buf *out, const char *key, const char *value)
{
	buf_puts(out, out->len > 1 ? "," : "");
	json_quote(out, key);
	buf_puts(out, ":");
	json_quote(out, value);
}

static void as_json(const struct image_step *s, bool whole, struct buf *out)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf at = BUF_INIT(64);
	const char *since = "N/A", *id = "<missing>";
	char size[16];

	if (s->created_s > 0) {
		int64_t age = (int64_t)time(NULL) - s->created_s;

		timestamp_print(s->created_s * 1000000000, &at);
		since = arena_printf(&a, "%s ago",
				     lookup_duration((age > 0 ? age : 0) * 1000000000, &a));
	}
	if (s->id)
		id = whole ? s->id : arena_printf(&a, "%.12s", s->id + 7);
	buf_puts(out, "{");
	member(out, "ID", id);
	member(out, "CreatedSince", since);
	member(out, "CreatedAt", at.p);
	member(out, "CreatedBy", flat(s->created_by, whole ? SIZE_MAX : SHORT_COMMAND, &a));
	member(out, "Size", progress_size(s->size, size));
	member(out, "Comment", flat(s->comment, SIZE_MAX, &a));
	buf_puts(out, "}");
}

static int row(const struct image_step *s, bool whole, const char *template, struct buf *out,
	       struct err *e)
{
	auto_buf struct buf text = BUF_INIT(32 << 20);

	as_json(s, whole, &text);
	if (!template) {
		buf_printf(out, "%s\n", text.p);
		return 0;
	}
	return template_row(template, &text, out, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct history_args *ha = args;
	const char *as_table = ha->quiet ? NULL : template_table(ha->format), *t;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf lines = BUF_INIT(64 << 20);
	struct image_steps steps;
	int r = image_history_list(s, argv[0], &a, &steps, e);

	if (r < 0)
		return r;
	t = as_table ? (*as_table ? as_table : table) : ha->format;
	if (ha->quiet)
		t = "{{.ID}}";
	else if (streq(ha->format, "json"))
		t = NULL;
	if (as_table)
		template_head(t, heads, &lines);
	for (size_t i = 0; r == 0 && i < steps.n; i++)
		r = row(&steps.v[i], ha->no_trunc, t, &lines, e);
	if (r < 0)
		return r;
	return listing_print(&lines, as_table != NULL, e);
}

static const char *const aliases[] = {"image history", NULL};

extern const struct cmd cmd_history;
const struct cmd cmd_history = {
    .name = "history",
    .group = "images",
    .operands = "IMAGE",
    .summary = "show how an image says it was made",
    .opts = history_opts,
    .args_size = sizeof(struct history_args),
    .operands_min = 1,
    .operands_max = 1,
    .aliases = aliases,
    .run = run,
};

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
#include "engine/usage.h"
#include "fmt/json.h"
#include "fmt/utf8.h"
#include "sys/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

struct system_df_args {
	bool verbose;
	const char *format;
};

static const struct opt system_df_opts[] = {
    OPT(struct system_df_args, format, .name = "format", .type = OPT_STR,
	.arg = "table|json|TEMPLATE", .preset = "table",
	.help = "a template holds Type, TotalCount, Active, Size, Reclaimable, Bytes"),
    OPT(struct system_df_args, verbose, .name = "verbose", .letter = 'v', .type = OPT_BOOL,
	.help = "every image, instance and volume"),
    OPT_END,
};

static const char table[] =
    "{{.Type}}\\t{{.TotalCount}}\\t{{.Active}}\\t{{.Size}}\\t{{.Reclaimable}}";
static const char *const heads[][2] = {
    {"Type", "TYPE"}, {"TotalCount", "TOTAL"},	      {"Active", "ACTIVE"},
    {"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"}, {"Bytes", "BYTES"},
    {NULL, NULL},
};

/* ---- the summary ---- */

static void as_json(const char *type, const struct usage_sum *u, struct buf *out)
{
	char size[16], back[16];

	progress_size(u->bytes, size);
	progress_size(u->reclaimable, back);
	buf_printf(out,
		   "{\"Type\":\"%s\",\"TotalCount\":%" PRIu64 ",\"Active\":%" PRIu64
		   ",\"Size\":\"%s\",\"Reclaimable\":\"%s",
		   type, u->count, u->active, size, back);
	if (u->bytes)
		buf_printf(out, " (%" PRIu64 "%%)", u->reclaimable * 100 / u->bytes);
	buf_printf(out, "\",\"Bytes\":%" PRIu64 ",\"ReclaimableBytes\":%" PRIu64 "}", u->bytes,
		   u->reclaimable);
}

static int row(const char *type, const struct usage_sum *u, const char *template, struct buf *out,
	       struct err *e)
{
	auto_buf struct buf text = BUF_INIT(4096);
	auto_json struct json *j = NULL;
	int r;

	as_json(type, u, &text);
	if (template) {
		r = json_parse(text.p, text.len, "row", &j, e);
		if (r == 0)
			r = template_print(template, j, out, e);
		if (r < 0)
			return r;
	} else {
		buf_add(out, text.p, text.len);
	}
	buf_puts(out, "\n");
	return 0;
}

static int summary(const struct usage *u, const char *format, struct buf *out, struct err *e)
{
	const char *as_table = template_table(format), *template = format;
	auto_buf struct buf lines = BUF_INIT(1 << 20);
	int r;

	if (streq(format, "json"))
		template = NULL;
	else if (as_table)
		template = *as_table ? as_table : table;
	if (as_table)
		template_head(template, heads, &lines);
	r = row("Images", &u->images, template, &lines, e);
	if (r == 0)
		r = row("Instances", &u->instances, template, &lines, e);
	if (r == 0)
		r = row("Volumes", &u->volumes, template, &lines, e);
	if (r == 0)
		r = row("Cache", &u->cache, template, &lines, e);
	listing_add(&lines, as_table != NULL, out);
	return r;
}

/* ---- everything by itself ---- */

/* First by the name of the image; the digits of one without. */
static void image_lines(const struct usage *u, struct buf *out)
{
	auto_buf struct buf lines = BUF_INIT(64 << 20);

	buf_puts(&lines, "IMAGE\tID\tSIZE\tSHARED\tOWN\tINSTANCES\n");
	for (size_t i = 0; i < u->image_list.n; i++) {
		const struct usage_image *m = &u->image_list.v[i];
		char size[16], shared[16], own[16];

		for (size_t k = 0; k < m->names.n; k++)
			buf_printf(&lines, "%s%s", k ? "," : "", m->names.v[k]);
		buf_printf(&lines, "%s\t%.12s\t%s\t%s\t%s\t%" PRIu64 "\n",
			   m->names.n ? "" : "<none>", m->id + 7, progress_size(m->bytes, size),
			   progress_size(m->shared, shared), progress_size(m->own, own),
			   m->instances);
	}
	template_align(&lines, out);
}

static void instance_lines(const struct usage *u, struct buf *out)
{
	auto_buf struct buf lines = BUF_INIT(64 << 20);

	buf_puts(&lines, "INSTANCE\tID\tIMAGE\tSTATUS\tSIZE\n");
	for (size_t i = 0; i < u->instance_list.n; i++) {
		const struct usage_instance *c = &u->instance_list.v[i];
		char size[16];

		buf_printf(&lines, "%s\t%.12s\t", c->name, c->id);
		utf8_visible(&lines, c->image);
		buf_printf(&lines, "\t%s\t%s\n", c->status, progress_size(c->bytes, size));
	}
	template_align(&lines, out);
}

static void volume_lines(const struct usage *u, struct buf *out)
{
	auto_buf struct buf lines = BUF_INIT(64 << 20);

	buf_puts(&lines, "VOLUME\tINSTANCES\tSIZE\n");
	for (size_t i = 0; i < u->volume_list.n; i++) {
		const struct usage_volume *v = &u->volume_list.v[i];
		char size[16];

		utf8_visible(&lines, v->name);
		buf_printf(&lines, "\t%" PRIu64 "\t%s\n", v->instances,
			   progress_size(v->bytes, size));
	}
	template_align(&lines, out);
}

static void cache_line(const struct usage *u, struct buf *out)
{
	char size[16], back[16];

	buf_printf(out, "cache and leftovers: %s, %s reclaimable\n",
		   progress_size(u->cache.bytes, size), progress_size(u->cache.reclaimable, back));
}

static void quoted(struct buf *out, const char *key, const char *value)
{
	json_quote(out, key);
	buf_puts(out, ":");
	json_quote(out, value);
	buf_puts(out, ",");
}

static void image_objects(const struct usage *u, struct buf *out)
{
	for (size_t i = 0; i < u->image_list.n; i++) {
		const struct usage_image *m = &u->image_list.v[i];

		buf_puts(out, i ? ",{" : "{");
		quoted(out, "ID", m->id);
		buf_puts(out, "\"Names\":[");
		for (size_t k = 0; k < m->names.n; k++) {
			buf_puts(out, k ? "," : "");
			json_quote(out, m->names.v[k]);
		}
		buf_printf(out,
			   "],\"Created\":%" PRId64 ",\"Bytes\":%" PRIu64 ",\"Shared\":%" PRIu64
			   ",\"Own\":%" PRIu64 ",\"Instances\":%" PRIu64 "}",
			   m->created_s, m->bytes, m->shared, m->own, m->instances);
	}
}

static void objects(const struct usage *u, struct buf *out)
{
	buf_puts(out, "{\"Images\":[");
	image_objects(u, out);
	buf_puts(out, "],\"Instances\":[");
	for (size_t i = 0; i < u->instance_list.n; i++) {
		const struct usage_instance *c = &u->instance_list.v[i];

		buf_puts(out, i ? ",{" : "{");
		quoted(out, "ID", c->id);
		quoted(out, "Name", c->name);
		quoted(out, "Image", c->image);
		quoted(out, "Status", c->status);
		buf_printf(out, "\"Bytes\":%" PRIu64 "}", c->bytes);
	}
	buf_puts(out, "],\"Volumes\":[");
	for (size_t i = 0; i < u->volume_list.n; i++) {
		const struct usage_volume *v = &u->volume_list.v[i];

		buf_puts(out, i ? ",{" : "{");
		quoted(out, "Name", v->name);
		buf_printf(out, "\"Bytes\":%" PRIu64 ",\"Instances\":%" PRIu64 "}", v->bytes,
			   v->instances);
	}
	buf_printf(out, "],\"Cache\":{\"Bytes\":%" PRIu64 ",\"Reclaimable\":%" PRIu64 "}}\n",
		   u->cache.bytes, u->cache.reclaimable);
}

static int verbose(const struct usage *u, const char *format, struct buf *out, struct err *e)
{
	if (streq(format, "json")) {
		objects(u, out);
		return 0;
	}
	if (!streq(format, "table"))
		return err_set(e, ERR_USAGE, "--verbose prints a table or json, not a template");
	image_lines(u, out);
	buf_puts(out, "\n");
	instance_lines(u, out);
	buf_puts(out, "\n");
	volume_lines(u, out);
	buf_puts(out, "\n");
	cache_line(u, out);
	return 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct system_df_args *da = args;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(64 << 20);
	struct usage u;
	int r = usage_gather(s, &a, &u, e);

	if (r >= 0)
		r = da->verbose ? verbose(&u, da->format, &out, e)
				: summary(&u, da->format, &out, e);
	if (r >= 0)
		r = buf_fail(&out, "output", e);
	if (r < 0)
		return r;
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : 0;
}

extern const struct cmd cmd_system_df;
const struct cmd cmd_system_df = {
    .name = "system df",
    .group = "system",
    .operands = "",
    .summary = "show what takes disk space and what could be given back",
    .opts = system_df_opts,
    .args_size = sizeof(struct system_df_args),
    .run = run,
};

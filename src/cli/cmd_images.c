/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "engine/image_ctl.h"
#include "engine/session.h"
#include "fmt/json.h"

#include <stdio.h>
#include <time.h>

struct images_args {
	bool quiet, no_trunc, digests, all;
	const char *format;
};

static const struct opt images_opts[] = {
    OPT(struct images_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "accepted as docker's; nothing is hidden"),
    OPT(struct images_args, digests, .name = "digests", .type = OPT_BOOL,
	.help = "show digests too"),
    OPT(struct images_args, format, .name = "format", .type = OPT_STR, .arg = "table|json|TEMPLATE",
	.preset = "table",
	.help = "a template holds fields such as {{.Repository}}, {{.Tag}}, {{.ID}}, {{.Size}}"),
    OPT(struct images_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "show whole ids"),
    OPT(struct images_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "show only ids"),
    OPT_END,
};

/* One row as text. */
struct shown {
	char id[80], age[40], created[40], size[16];
	const char *repository, *tag, *digest, *platform;
};

static const struct {
	const char *name;
	size_t off;
	bool inside; /* the member is the text itself, not a pointer to it */
} fields[] = {
    {"Repository", offsetof(struct shown, repository), false},
    {"Tag", offsetof(struct shown, tag), false},
    {"Digest", offsetof(struct shown, digest), false},
    {"ID", offsetof(struct shown, id), true},
    {"CreatedSince", offsetof(struct shown, age), true},
    {"CreatedAt", offsetof(struct shown, created), true},
    {"Size", offsetof(struct shown, size), true},
    {"Platform", offsetof(struct shown, platform), false},
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

static const char *field(const struct shown *row, size_t i)
{
	const char *p = (const char *)row + fields[i].off;

	return fields[i].inside ? p : *(const char *const *)(const void *)p;
}

static void print_age(int64_t created_s, char out[40])
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = {{31536000, "year"}, {2592000, "month"}, {604800, "week"}, {86400, "day"},
		     {3600, "hour"},	 {60, "minute"},     {1, "second"}};
	int64_t age = time(NULL) - created_s;

	if (created_s <= 0) {
		snprintf(out, 40, "N/A");
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		/* As long as the larger unit would say only "1", the smaller one says more. */
		if (age >= units[i].seconds * (i < 5 ? 2 : 1) || i == 6) {
			long long n = age > 0 ? age / units[i].seconds : 0;

			snprintf(out, 40, "%lld %s%s ago", n, units[i].unit, n == 1 ? "" : "s");
			return;
		}
}

static void show(const struct image_row *r, bool whole, struct shown *out)
{
	time_t t = (time_t)r->created_s;
	struct tm tm = {0};

	*out = (struct shown){.repository = r->repository ? r->repository : "<none>",
			      .tag = r->tag ? r->tag : "<none>",
			      .digest = r->digest,
			      .platform = r->platform ? r->platform : ""};
	if (whole)
		snprintf(out->id, sizeof(out->id), "%s", r->id);
	else
		snprintf(out->id, sizeof(out->id), "%.12s", r->id + 7);
	print_age(r->created_s, out->age);
	gmtime_r(&t, &tm);
	strftime(out->created, sizeof(out->created), "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	progress_size(r->size, out->size);
}

static void as_json(const struct shown *row, struct buf *out)
{
	for (size_t i = 0; i < FIELDS; i++) {
		buf_puts(out, i ? "," : "{");
		json_quote(out, fields[i].name);
		buf_puts(out, ":");
		json_quote(out, field(row, i));
	}
	buf_puts(out, "}\n");
}

static const char *field_named(const struct shown *row, const char *name, size_t n)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (strlen(fields[i].name) == n && memcmp(fields[i].name, name, n) == 0)
			return field(row, i);
	return NULL;
}

/* {{.Field}} and plain text; nothing else of Go's templates. */
static int as_template(const struct shown *row, const char *format, struct buf *out, struct err *e)
{
	for (const char *p = format; *p;) {
		const char *open = strstr(p, "{{"), *close = open ? strstr(open, "}}") : NULL;
		const char *name, *value;
		size_t n;

		if (!close) {
			buf_puts(out, p);
			break;
		}
		buf_add(out, p, (size_t)(open - p));
		name = open + 2 + strspn(open + 2, " ");
		n = strcspn(name, " }");
		value = *name == '.' ? field_named(row, name + 1, n - 1) : NULL;
		if (!value)
			return err_set(e, ERR_USAGE, "--format does not know '%.*s'",
				       (int)(close - open + 2), open);
		buf_puts(out, value);
		p = close + 2;
	}
	buf_puts(out, "\n");
	return 0;
}

static void cell(struct buf *out, const char *text, size_t width)
{
	size_t n = strlen(text);

	buf_puts(out, text);
	for (; n < width + 3; n++)
		buf_puts(out, " ");
}

static void as_table(const struct shown *rows, size_t n, bool digests, struct buf *out)
{
	static const struct shown head = {.id = "IMAGE ID",
					  .age = "CREATED",
					  .size = "SIZE",
					  .repository = "REPOSITORY",
					  .tag = "TAG",
					  .digest = "DIGEST",
					  .platform = ""};
	size_t width[FIELDS] = {0};

	for (size_t i = 0; i < FIELDS; i++) {
		width[i] = strlen(field(&head, i));
		for (size_t k = 0; k < n; k++)
			if (strlen(field(&rows[k], i)) > width[i])
				width[i] = strlen(field(&rows[k], i));
	}
	for (size_t k = 0; k <= n; k++) {
		const struct shown *r = k ? &rows[k - 1] : &head;

		cell(out, r->repository, width[0]);
		cell(out, r->tag, width[1]);
		if (digests)
			cell(out, r->digest, width[2]);
		cell(out, r->id, width[3]);
		cell(out, r->age, width[4]);
		buf_printf(out, "%s\n", r->size);
	}
}

/* An image with two names is one id. */
static void ids(const struct image_rows *rows, const struct shown *shown, struct buf *out)
{
	for (size_t i = 0; i < rows->n; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= streq(rows->v[k].id, rows->v[i].id);
		if (!seen)
			buf_printf(out, "%s\n", shown[i].id);
	}
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct images_args *ia = args;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(64 << 20);
	struct image_rows rows;
	struct shown *shown;
	int r = image_ctl_list(s, argc ? argv[0] : NULL, &a, &rows, e);

	if (r < 0)
		return r;
	shown = arena_array(&a, rows.n, sizeof(*shown));
	for (size_t i = 0; i < rows.n; i++)
		show(&rows.v[i], ia->no_trunc, &shown[i]);
	if (ia->quiet)
		ids(&rows, shown, &out);
	else if (streq(ia->format, "table"))
		as_table(shown, rows.n, ia->digests, &out);
	for (size_t i = 0; r >= 0 && !ia->quiet && i < rows.n; i++) {
		if (streq(ia->format, "json"))
			as_json(&shown[i], &out);
		else if (!streq(ia->format, "table"))
			r = as_template(&shown[i], ia->format, &out, e);
	}
	if (r >= 0)
		r = buf_fail(&out, "output", e);
	if (r >= 0)
		fwrite(out.p, 1, out.len, stdout);
	return r < 0 ? r : 0;
}

extern const struct cmd cmd_images;
const struct cmd cmd_images = {
    .name = "images",
    .group = "images",
    .operands = "[NAME]",
    .summary = "list images",
    .opts = images_opts,
    .args_size = sizeof(struct images_args),
    .operands_max = 1,
    .aliases = (const char *const[]){"image ls", "image list", NULL},
    .run = run,
};

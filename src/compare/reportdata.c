/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reportdata.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/report.h"
#include "compare/stats.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdint.h>

#define SAMPLES_MAX 100000

static void number(struct buf *out, double v)
{
	buf_printf(out, "%.15g", v);
}

static void json_cell(const struct report_cell *c, struct buf *out)
{
	struct stats s;
	const struct {
		const char *key;
		const double *v;
	} f[] = {{"median", &s.median}, {"low", &s.low}, {"high", &s.high}, {"level", &s.level},
		 {"p95", &s.p95},	{"min", &s.min}, {"max", &s.max}};

	if (stats_of(c->v, c->n, &s) < 0) {
		buf_puts(out, c->text ? "{\"text\":" : "{\"not_measured\":");
		json_quote(out, c->text ? c->text : c->why ? c->why : "not measured");
		buf_puts(out, "}");
		return;
	}
	buf_puts(out, "{");
	if (c->text) {
		buf_puts(out, "\"text\":");
		json_quote(out, c->text);
		buf_puts(out, ",");
	}
	buf_printf(out, "\"n\":%zu", s.n);
	for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		buf_printf(out, ",\"%s\":", f[i].key);
		number(out, *f[i].v);
	}
	buf_puts(out, ",\"samples\":[");
	for (size_t i = 0; i < c->n; i++) {
		buf_puts(out, i ? "," : "");
		number(out, c->v[i]);
	}
	buf_puts(out, "]}");
}

static const char *const units[] = {"text", "ns", "bytes", "count"};

void reportdata_json(const struct report *r, struct buf *out)
{
	const char *sep = "";

	buf_puts(out, "{\"caissonReport\":1,\"image\":");
	json_quote(out, r->image);
	buf_puts(out, ",\"command\":");
	json_quote(out, r->command);
	buf_puts(out, ",\"machine\":");
	json_quote(out, r->machine);
	buf_puts(out, ",\"accelerator_reason\":");
	json_quote(out, r->accel_why);
	buf_printf(out, ",\"load\":%.2f,\"partial\":%s,\"rounds\":%" PRIu64 ",\"rows\":[", r->load,
		   r->partial ? "true" : "false", r->rounds);
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++) {
		const struct report_line row = report_line(i);

		if (report_row_empty(r, i))
			continue;
		buf_printf(out, "%s\n{\"key\":\"%s%s\",\"unit\":\"%s\",\"what\":\"%s\"", sep,
			   i < REPORT_PHASES ? "" : "phase_", row.key, units[row.unit], row.what);
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
			buf_printf(out, ",\"%s\":", report_subject_names[s]);
			json_cell(&r->cells[i][s], out);
		}
		buf_puts(out, "}");
		sep = ",";
	}
	buf_puts(out, "]}\n");
}

/* RFC 4180: quoted, quotes doubled. */
static void csv_text(struct buf *out, const char *s)
{
	buf_puts(out, "\"");
	for (; *s; s++)
		buf_printf(out, *s == '"' ? "\"%c" : "%c", *s);
	buf_puts(out, "\"");
}

void reportdata_csv(const struct report *r, struct buf *out)
{
	buf_puts(out, "key,unit,subject,n,median,low,high,level,p95,min,max,text\n");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++)
		for (int s = 0; s < REPORT_SUBJECT_MAX_ && !report_row_empty(r, i); s++) {
			const struct report_cell *c = &r->cells[i][s];
			const struct report_line row = report_line(i);
			struct stats t;

			buf_printf(out, "%s%s,%s,%s,", i < REPORT_PHASES ? "" : "phase_", row.key,
				   units[row.unit], report_subject_names[s]);
			if (stats_of(c->v, c->n, &t) == 0)
				buf_printf(out, "%zu,%.15g,%.15g,%.15g,%.6f,%.15g,%.15g,%.15g,",
					   t.n, t.median, t.low, t.high, t.level, t.p95, t.min,
					   t.max);
			else
				buf_puts(out, "0,,,,,,,,");
			if (c->text)
				csv_text(out, c->text);
			else if (!c->n)
				csv_text(out, c->why ? c->why : "not measured");
			buf_puts(out, "\n");
		}
}

/* ---- read back ---- */

static unsigned int row_named(const char *key)
{
	const char *phase = str_after(key, "phase_");

	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++)
		if (i < REPORT_PHASES ? streq(report_line(i).key, key)
				      : phase && streq(report_line(i).key, phase))
			return i;
	return REPORT_ROW_MAX_;
}

static int read_cell(const struct json *j, struct report *r, unsigned int row,
		     enum report_subject s, struct err *e)
{
	const struct json *samples = json_member(j, "samples");
	const char *text = json_string(json_member(j, "text"));
	const char *why = json_string(json_member(j, "not_measured"));
	double v;

	if (json_length(samples) > SAMPLES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d samples in one cell", SAMPLES_MAX);
	for (size_t i = 0; i < json_length(samples); i++) {
		if (!json_number(json_at(samples, i), &v))
			return err_set(e, ERR_CORRUPT, "%s: a sample is no number",
				       report_line(row).key);
		report_add(r, row, s, v);
	}
	if (text)
		report_text(r, row, s, text);
	if (why)
		report_missing(r, row, s, why);
	return 0;
}

static int read_row(const struct json *j, struct report *r, struct err *e)
{
	const char *key = json_string(json_member(j, "key"));
	unsigned int row;
	int ret = 0;

	if (!key)
		return err_set(e, ERR_CORRUPT, "a row without a key");
	row = row_named(key);
	for (int s = 0; row < REPORT_ROW_MAX_ && ret == 0 && s < REPORT_SUBJECT_MAX_; s++)
		ret = read_cell(json_member(j, report_subject_names[s]), r, row,
				(enum report_subject)s, e);
	return ret;
}

static const char *word(const struct json *j, const char *key, struct arena *a)
{
	const char *text = json_string(json_member(j, key));

	return text ? arena_dup(a, text) : NULL;
}

int reportdata_read(const char *text, size_t len, const char *what, struct arena *a,
		    struct report *out, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *all;
	double rounds = 0;
	int r = json_parse(text, len, what, &j, e);

	if (r < 0)
		return r;
	all = json_member(j, "rows");
	*out = (struct report){.arena = a};
	out->image = word(j, "image", a);
	out->command = word(j, "command", a);
	out->machine = word(j, "machine", a);
	out->accel_why = word(j, "accelerator_reason", a);
	json_number(json_member(j, "load"), &out->load);
	if (!json_is_array(all) || !out->image || !out->command || !out->machine ||
	    !json_number(json_member(j, "rounds"), &rounds) || rounds < 0 || rounds > 1e9)
		return err_set(e, ERR_CORRUPT, "'%s' is no report of caisson compare", what);
	out->rounds = (uint64_t)rounds;
	for (size_t i = 0; r == 0 && i < json_length(all); i++)
		r = read_row(json_at(all, i), out, e);
	return r < 0 ? err_wrap(e, r, "'%s'", what) : 0;
}

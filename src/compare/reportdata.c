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
#include <string.h>

#define SAMPLES_MAX  100000
#define ATTEMPTS_MAX 1000

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

static const char *const units[] = {"text", "ns", "bytes", "count", "bytes/s", "per s"};

static void json_pair(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, ",\"%s\":", key);
	json_quote(out, value);
}

static void json_who(const struct report *r, struct buf *out)
{
	const char *sep = "";

	buf_puts(out, ",\n\"subjects\":[");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_who *w = &r->who[s];

		if (!w->listed)
			continue;
		buf_printf(out, "%s\n{\"name\":\"%s\"", sep, report_subject_names[s]);
		if (w->command)
			json_pair(out, "command", w->command);
		if (w->note)
			json_pair(out, "note", w->note);
		if (w->why)
			json_pair(out, "not_measured", w->why);
		buf_puts(out, "}");
		sep = ",";
	}
	buf_puts(out, "]");
}

static void json_noise(const struct report *r, struct buf *out)
{
	const struct report_noise *n = &r->noise;

	buf_printf(out,
		   ",\n\"noise\":{\"load\":%.2f,\"load_after\":%.2f,\"busy\":%.4f,\"steal\":%.4f,"
		   "\"loop\":",
		   n->load, n->load_after, n->busy, n->steal);
	json_cell(&n->loop, out);
	buf_puts(out, "}");
}

static void json_density(const struct report *r, struct buf *out)
{
	const char *sep = "";

	buf_printf(out, ",\n\"density\":{\"budget\":%" PRIu64 ",\"curves\":{", r->budget_bytes);
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->density[s];

		if (!c->n)
			continue;
		buf_printf(out, "%s\n\"%s\":{\"ended\":", sep, report_subject_names[s]);
		json_quote(out, c->why ? c->why : "");
		buf_puts(out, ",\"samples\":[");
		for (size_t i = 0; i < c->n; i++) {
			buf_puts(out, i ? "," : "");
			number(out, c->v[i]);
		}
		buf_puts(out, "]}");
		sep = ",";
	}
	buf_puts(out, "}}");
}

static void json_attempts(const struct report *r, struct buf *out)
{
	buf_puts(out, ",\n\"attempts\":[");
	for (size_t i = 0; i < r->nattempts; i++) {
		const struct report_attempt *a = &r->attempts[i];

		buf_puts(out, i ? ",\n{\"key\":" : "\n{\"key\":");
		json_quote(out, a->key);
		json_pair(out, "what", a->what);
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			if (a->got[s])
				json_pair(out, report_subject_names[s], a->got[s]);
		buf_puts(out, "}");
	}
	buf_puts(out, "]");
}

static void json_rows(const struct report *r, struct buf *out)
{
	const char *sep = "";

	buf_puts(out, ",\n\"rows\":[");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++) {
		const struct report_line row = report_line(i);

		if (report_row_empty(r, i))
			continue;
		buf_printf(out, "%s\n{\"key\":\"%s\",\"unit\":\"%s\",\"what\":\"%s\"", sep, row.key,
			   units[row.unit], row.what);
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			if (r->who[s].listed) {
				buf_printf(out, ",\"%s\":", report_subject_names[s]);
				json_cell(&r->cells[i][s], out);
			}
		buf_puts(out, "}");
		sep = ",";
	}
	buf_puts(out, "]");
}

void reportdata_json(const struct report *r, struct buf *out)
{
	buf_puts(out, "{\"caissonReport\":2,\"image\":");
	json_quote(out, r->image);
	json_pair(out, "command", r->command);
	json_pair(out, "machine", r->machine);
	json_pair(out, "date", r->date);
	json_pair(out, "accelerator_reason", r->accel_why);
	buf_printf(out, ",\"partial\":%s,\"rounds\":%" PRIu64 ",\"took_ns\":%" PRId64,
		   r->partial ? "true" : "false", r->rounds, r->took_ns);
	json_who(r, out);
	json_noise(r, out);
	json_rows(r, out);
	json_density(r, out);
	json_attempts(r, out);
	buf_puts(out, "}\n");
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

			if (!r->who[s].listed)
				continue;
			buf_printf(out, "%s,%s,%s,", row.key, units[row.unit],
				   report_subject_names[s]);
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

static int read_cell(const struct json *j, struct report *r, struct report_cell *c, struct err *e)
{
	const struct json *samples = json_member(j, "samples");
	const char *text = json_string(json_member(j, "text"));
	const char *why = json_string(json_member(j, "not_measured"));
	double v;

	if (json_length(samples) > SAMPLES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d samples in one cell", SAMPLES_MAX);
	for (size_t i = 0; i < json_length(samples); i++) {
		if (!json_number(json_at(samples, i), &v))
			return err_set(e, ERR_CORRUPT, "a sample is no number");
		report_cell_add(r, c, v);
	}
	if (text)
		c->text = arena_dup(r->arena, text);
	if (why && !c->n && !c->text)
		c->why = arena_dup(r->arena, why);
	return 0;
}

static int read_row(const struct json *j, struct report *r, struct err *e)
{
	const char *key = json_string(json_member(j, "key"));
	unsigned int row;
	int ret = 0;

	if (!key)
		return err_set(e, ERR_CORRUPT, "a row without a key");
	row = report_row_named(key, strlen(key));
	for (int s = 0; row < REPORT_ROW_MAX_ && ret == 0 && s < REPORT_SUBJECT_MAX_; s++) {
		const struct json *cell = json_member(j, report_subject_names[s]);

		/* Reports of the first form have no list of subjects. */
		r->who[s].listed |= cell != NULL;
		ret = read_cell(cell, r, &r->cells[row][s], e);
		if (ret < 0)
			err_wrap(e, ret, "%s", key);
	}
	return ret;
}

static const char *word(const struct json *j, const char *key, struct arena *a)
{
	const char *text = json_string(json_member(j, key));

	return text ? arena_dup(a, text) : NULL;
}

static void read_who(const struct json *list, struct report *r)
{
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json *j = json_at(list, i);
		const char *name = json_string(json_member(j, "name"));

		for (int s = 0; name && s < REPORT_SUBJECT_MAX_; s++) {
			if (!streq(report_subject_names[s], name))
				continue;
			r->who[s] = (struct report_who){.listed = true,
							.command = word(j, "command", r->arena),
							.note = word(j, "note", r->arena),
							.why = word(j, "not_measured", r->arena)};
		}
	}
}

static int read_density(const struct json *j, struct report *r, struct err *e)
{
	const struct json *curves = json_member(j, "curves");
	double budget = 0;
	int ret = 0;

	if (json_number(json_member(j, "budget"), &budget) && budget >= 0 && budget < 1e18)
		r->budget_bytes = (uint64_t)budget;
	for (int s = 0; ret == 0 && s < REPORT_SUBJECT_MAX_; s++) {
		const struct json *c = json_member(curves, report_subject_names[s]);

		ret = read_cell(c, r, &r->density[s], e);
		if (c)
			r->density[s].why = word(c, "ended", r->arena);
	}
	return ret;
}

static void read_attempts(const struct json *list, struct report *r)
{
	size_t n = json_length(list);

	if (n > ATTEMPTS_MAX)
		n = ATTEMPTS_MAX;
	r->attempts = arena_array(r->arena, n + 1, sizeof(*r->attempts));
	for (size_t i = 0; i < n; i++) {
		const struct json *j = json_at(list, i);
		struct report_attempt *a = &r->attempts[r->nattempts];

		a->key = word(j, "key", r->arena);
		a->what = word(j, "what", r->arena);
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			a->got[s] = word(j, report_subject_names[s], r->arena);
		r->nattempts += a->key && a->what;
	}
}

static int read_noise(const struct json *j, const struct json *all, struct report *r, struct err *e)
{
	struct report_noise *n = &r->noise;

	json_number(json_member(j ? j : all, "load"), &n->load);
	json_number(json_member(j, "load_after"), &n->load_after);
	json_number(json_member(j, "busy"), &n->busy);
	json_number(json_member(j, "steal"), &n->steal);
	return read_cell(json_member(j, "loop"), r, &n->loop, e);
}

int reportdata_read(const char *text, size_t len, const char *what, struct arena *a,
		    struct report *out, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *all;
	double rounds = 0, took = 0;
	int r = json_parse(text, len, what, &j, e);

	if (r < 0)
		return r;
	all = json_member(j, "rows");
	*out = (struct report){.arena = a};
	out->image = word(j, "image", a);
	out->command = word(j, "command", a);
	out->machine = word(j, "machine", a);
	out->date = word(j, "date", a);
	out->accel_why = word(j, "accelerator_reason", a);
	if (!json_is_array(all) || !out->image || !out->command || !out->machine ||
	    !json_number(json_member(j, "rounds"), &rounds) || rounds < 0 || rounds > 1e9)
		return err_set(e, ERR_CORRUPT, "'%s' is no report of caisson compare", what);
	out->rounds = (uint64_t)rounds;
	out->partial = json_true(json_member(j, "partial"));
	if (json_number(json_member(j, "took_ns"), &took) && took >= 0 && took < 1e18)
		out->took_ns = (int64_t)took;
	read_who(json_member(j, "subjects"), out);
	r = read_noise(json_member(j, "noise"), j, out, e);
	for (size_t i = 0; r == 0 && i < json_length(all); i++)
		r = read_row(json_at(all, i), out, e);
	if (r == 0)
		r = read_density(json_member(j, "density"), out, e);
	read_attempts(json_member(j, "attempts"), out);
	return r < 0 ? err_wrap(e, r, "'%s'", what) : 0;
}

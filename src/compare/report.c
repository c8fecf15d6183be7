/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/report.h"
#include "base/buf.h"
#include "base/str.h"
#include "compare/stats.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NUMBER 15 /* where the number of samples stands in a label */
#define LABEL  20
#define COLUMN 20

const char *const report_subject_names[] = {"host", "container", "vm", NULL};
const char *const report_format_names[] = {"table", "json", "csv", NULL};

struct row {
	const char *key;
	enum report_unit unit;
	const char *label, *what;
};

static const struct row rows[REPORT_PHASES] = {
#define X(id, key, unit, label, what) [REPORT_##id] = {key, unit, label, what},
    REPORT_ROWS(X)
#undef X
};

static const char *const phases[TRACE_PHASE_MAX_] = {
#define X(id, name) [TRACE_##id] = name,
    TRACE_PHASES(X)
#undef X
};

static struct row row_of(unsigned int i)
{
	if (i < REPORT_PHASES)
		return rows[i];
	return (struct row){phases[i - REPORT_PHASES], REPORT_NS, phases[i - REPORT_PHASES],
			    "phase, from the engine's own trace"};
}

void report_add(struct report *r, unsigned int row, enum report_subject s, double value)
{
	struct report_cell *c = &r->cells[row][s];

	/* Room is doubled at powers of two, so it needs no field. */
	if (!(c->n & (c->n + 1)) || !c->n) {
		double *v = arena_array(r->arena, 2 * (c->n + 1), sizeof(*v));

		if (c->n)
			memcpy(v, c->v, c->n * sizeof(*v));
		c->v = v;
	}
	c->v[c->n++] = value;
}

void report_text(struct report *r, unsigned int row, enum report_subject s, const char *text)
{
	r->cells[row][s].text = arena_dup(r->arena, text);
}

void report_missing(struct report *r, unsigned int row, enum report_subject s, const char *why)
{
	struct report_cell *c = &r->cells[row][s];

	if (!c->n && !c->text && !c->why)
		c->why = arena_dup(r->arena, why);
}

struct scale {
	double by;
	const char *name;
};

static struct scale scale_of(enum report_unit unit, double v)
{
	static const struct scale ns[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
	static const struct scale bytes[] = {
	    {1u << 30, "GiB"}, {1u << 20, "MiB"}, {1u << 10, "KiB"}, {1, "B"}};
	const struct scale *s = unit == REPORT_NS ? ns : bytes;

	if (unit == REPORT_COUNT)
		return (struct scale){1, ""};
	while (s->by > 1 && v < s->by)
		s++;
	return *s;
}

/* Three digits, never in exponents. */
static void digits(struct buf *out, double v)
{
	int after = v >= 99.95 || v == (double)(int64_t)v ? 0
		    : v >= 9.995			  ? 1
		    : v >= 0.9995			  ? 2
							  : 3;

	buf_printf(out, "%.*f", after, v);
}

/* Reasons below the table, each once. */
struct notes {
	const char *v[REPORT_PHASES * REPORT_SUBJECT_MAX_];
	size_t n;
};

static size_t note_of(struct notes *l, const char *why)
{
	if (!why)
		why = "not measured";
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], why))
			return i + 1;
	l->v[l->n++] = why;
	return l->n;
}

static void print_cell(const struct row *row, const struct report_cell *c, struct notes *notes,
		       struct buf *out)
{
	struct stats s;
	struct scale u;

	if (c->text) {
		buf_puts(out, c->text);
		return;
	}
	if (stats_of(c->v, c->n, &s) < 0) {
		buf_printf(out, "n/a [%zu]", note_of(notes, c->why));
		return;
	}
	u = scale_of(row->unit, s.median);
	digits(out, s.median / u.by);
	buf_printf(out, "%s%s", *u.name ? " " : "", u.name);
	if (s.low == s.high)
		return;
	buf_puts(out, " [");
	digits(out, s.low / u.by);
	buf_puts(out, "-");
	digits(out, s.high / u.by);
	buf_puts(out, "]");
}

static void print_p95(const struct row *row, const struct report_cell *c, struct buf *out)
{
	struct stats s;
	struct scale u;

	if (stats_of(c->v, c->n, &s) < 0)
		return;
	u = scale_of(row->unit, s.p95);
	digits(out, s.p95 / u.by);
	buf_printf(out, " %s", u.name);
}

static void pad(struct buf *out, size_t from, size_t width)
{
	while (out->len - from < width)
		buf_puts(out, " ");
}

static bool row_is_empty(const struct report *r, unsigned int row)
{
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[row][s];

		if (c->n || c->text || (c->why && row < REPORT_PHASES))
			return false;
	}
	return true;
}

/* "n=10", or "n=3+" when the columns differ and the least has 3. */
static void print_count(const struct report_cell *c, struct buf *out)
{
	size_t low = SIZE_MAX, high = 0;

	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		if (!c[s].n)
			continue;
		low = c[s].n < low ? c[s].n : low;
		high = c[s].n > high ? c[s].n : high;
	}
	if (high && low == high)
		buf_printf(out, "n=%zu", high);
	else if (high)
		buf_printf(out, "n=%zu+", low);
}

static void table_row(const struct report *r, unsigned int i, struct notes *notes, struct buf *out)
{
	const struct row row = row_of(i);
	size_t start = out->len;

	buf_puts(out, row.label);
	pad(out, start, NUMBER);
	print_count(r->cells[i], out);
	for (size_t s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[i][s];

		pad(out, start, LABEL + s * COLUMN);
		if (i < REPORT_PHASES || c->n)
			print_cell(&row, c, notes, out);
		else
			buf_puts(out, "-");
		buf_puts(out, " ");
	}
	buf_puts(out, "\n");
	if (i != REPORT_FIRST)
		return;
	start = out->len;
	buf_puts(out, "  95th percentile");
	for (size_t s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		pad(out, start, LABEL + s * COLUMN);
		print_p95(&row, &r->cells[i][s], out);
	}
	buf_puts(out, "\n");
}

/* Cut at 80 columns what a long reason or name would push over, and trailing blanks. */
static void fold(const struct buf *in, struct buf *out)
{
	const char *p = in->p;

	while (*p) {
		size_t len = strcspn(p, "\n"), keep = len;

		if (*p == '[' || str_after(p, "vm: ")) {
			/* Notes are sentences: broken at blanks. */
			while (len > 80) {
				keep = 80;
				while (keep > 40 && p[keep] != ' ')
					keep--;
				buf_add(out, p, keep);
				buf_puts(out, "\n   ");
				p += keep;
				len -= keep;
			}
			keep = len;
		}
		keep = keep > 80 ? 80 : keep;
		while (keep && p[keep - 1] == ' ')
			keep--;
		buf_add(out, p, keep);
		buf_puts(out, "\n");
		p += len + (p[len] == '\n');
	}
}

static void table(const struct report *r, struct buf *out)
{
	auto_buf struct buf wide = BUF_INIT(1 << 20);
	struct notes notes = {.n = 0};
	bool phase = false;
	struct stats s = {0};

	stats_of(r->cells[REPORT_FIRST][REPORT_CONTAINER].v,
		 r->cells[REPORT_FIRST][REPORT_CONTAINER].n, &s);
	buf_printf(&wide, "%s: %s\n%s\n\n", r->image, r->command, r->machine);
	buf_printf(&wide, "%-*s%-*s%-*s%s\n", LABEL, "", COLUMN, "host process", COLUMN,
		   "container", "vm");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++) {
		if (row_is_empty(r, i))
			continue;
		if (i >= REPORT_PHASES && !phase)
			buf_puts(&wide, "\nphases of a start, from the engine's trace\n");
		phase = i >= REPORT_PHASES;
		table_row(r, i, &notes, &wide);
	}
	buf_printf(&wide,
		   "\nmedian [interval that holds it with %.0f %%] of n; %" PRIu64
		   " interleaved rounds in random\norder after one that does not count\n",
		   s.n ? s.level * 100 : 0, r->rounds);
	for (size_t i = 0; i < notes.n; i++)
		buf_printf(&wide, "[%zu] %s\n", i + 1, notes.v[i]);
	if (r->accel_why)
		buf_printf(&wide, "vm: %s\n", r->accel_why);
	fold(&wide, out);
}

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

	if (c->text) {
		buf_puts(out, "{\"text\":");
		json_quote(out, c->text);
		buf_puts(out, "}");
		return;
	}
	if (stats_of(c->v, c->n, &s) < 0) {
		buf_puts(out, "{\"not_measured\":");
		json_quote(out, c->why ? c->why : "not measured");
		buf_puts(out, "}");
		return;
	}
	buf_printf(out, "{\"n\":%zu", s.n);
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

static void as_json(const struct report *r, struct buf *out)
{
	const char *sep = "";

	buf_puts(out, "{\"image\":");
	json_quote(out, r->image);
	buf_puts(out, ",\"command\":");
	json_quote(out, r->command);
	buf_puts(out, ",\"machine\":");
	json_quote(out, r->machine);
	buf_puts(out, ",\"accelerator_reason\":");
	json_quote(out, r->accel_why);
	buf_printf(out, ",\"rounds\":%" PRIu64 ",\"rows\":[", r->rounds);
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++) {
		const struct row row = row_of(i);

		if (row_is_empty(r, i))
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

static void as_csv(const struct report *r, struct buf *out)
{
	buf_puts(out, "key,unit,subject,n,median,low,high,level,p95,min,max,text\n");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++)
		for (int s = 0; s < REPORT_SUBJECT_MAX_ && !row_is_empty(r, i); s++) {
			const struct report_cell *c = &r->cells[i][s];
			const struct row row = row_of(i);
			struct stats t;

			buf_printf(out, "%s%s,%s,%s,", i < REPORT_PHASES ? "" : "phase_", row.key,
				   units[row.unit], report_subject_names[s]);
			if (!c->text && stats_of(c->v, c->n, &t) == 0)
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

void report_write(const struct report *r, enum report_format format, struct buf *out)
{
	switch (format) {
	case REPORT_TABLE:
		table(r, out);
		return;
	case REPORT_JSON:
		as_json(r, out);
		return;
	case REPORT_CSV:
		as_csv(r, out);
		return;
	}
}

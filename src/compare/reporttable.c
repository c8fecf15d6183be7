/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reporttable.h"
#include "base/buf.h"
#include "base/str.h"
#include "compare/figure.h"
#include "compare/report.h"
#include "compare/stats.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NUMBER 15 /* where the number of samples stands in a label */
#define LABEL  20
#define COLUMN 20

/* Reasons below the table, each once. */
struct notes {
	const char *v[REPORT_ROW_MAX_ * REPORT_SUBJECT_MAX_];
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

static void print_cell(const struct report_line *row, const struct report_cell *c,
		       struct notes *notes, struct buf *out)
{
	struct stats s;

	if (c->text) {
		buf_puts(out, c->text);
		return;
	}
	if (stats_of(c->v, c->n, &s) < 0) {
		buf_printf(out, "n/a [%zu]", note_of(notes, c->why));
		return;
	}
	figure_interval(out, row->unit, &s, "-");
}

static void print_p95(const struct report_line *row, const struct report_cell *c, struct buf *out)
{
	struct stats s;

	if (stats_of(c->v, c->n, &s) < 0)
		return;
	figure_put(out, row->unit, s.p95);
}

static void pad(struct buf *out, size_t from, size_t width)
{
	while (out->len - from < width)
		buf_puts(out, " ");
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
	const struct report_line row = report_line(i);
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

void reporttable_write(const struct report *r, struct buf *out)
{
	auto_buf struct buf wide = BUF_INIT(1 << 20);
	struct notes notes = {.n = 0};
	bool phase = false;
	struct stats s = {0};

	stats_of(r->cells[REPORT_FIRST][REPORT_CONTAINER].v,
		 r->cells[REPORT_FIRST][REPORT_CONTAINER].n, &s);
	buf_printf(&wide, "%s: %s\n%s, load %.1f\n\n", r->image, r->command, r->machine, r->load);
	buf_printf(&wide, "%-*s%-*s%-*s%s\n", LABEL, "", COLUMN, "host process", COLUMN,
		   "container", "vm");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++) {
		if (report_row_empty(r, i))
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
	if (r->partial)
		buf_puts(&wide, "partial: it was interrupted\n");
	for (size_t i = 0; i < notes.n; i++)
		buf_printf(&wide, "[%zu] %s\n", i + 1, notes.v[i]);
	if (r->accel_why)
		buf_printf(&wide, "vm: %s\n", r->accel_why);
	fold(&wide, out);
}

/* ---- Markdown ---- */

/* What would end a cell or begin a mark. */
static void md_text(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_printf(out, strchr("|\\`*_<>[]", *s) ? "\\%c" : "%c", *s == '\n' ? ' ' : *s);
}

static void md_cell(const struct report_line *line, const struct report_cell *c,
		    struct notes *notes, struct buf *out)
{
	auto_buf struct buf text = BUF_INIT(4096);

	print_cell(line, c, notes, &text);
	buf_puts(out, " ");
	md_text(out, text.len ? text.p : "");
	buf_puts(out, " |");
}

void reporttable_markdown(const struct report *r, struct buf *out)
{
	struct notes notes = {.n = 0};

	buf_puts(out, "**");
	md_text(out, r->image);
	buf_puts(out, "**: ");
	md_text(out, r->command);
	buf_puts(out, "\n\n");
	md_text(out, r->machine);
	buf_printf(out,
		   ", load %.1f; %" PRIu64
		   " interleaved rounds in random order%s; medians with the interval that holds "
		   "them\n\n",
		   r->load, r->rounds, r->partial ? ", **partial: it was interrupted**" : "");
	buf_puts(out, "| | host process | container | vm |\n|---|---:|---:|---:|\n");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++) {
		const struct report_line line = report_line(i);

		if (report_row_empty(r, i))
			continue;
		buf_printf(out, "| %s%s |", i < REPORT_PHASES ? "" : "phase: ",
			   line.label + strspn(line.label, " "));
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			md_cell(&line, &r->cells[i][s], &notes, out);
		buf_puts(out, "\n");
	}
	buf_puts(out, "\n");
	for (size_t i = 0; i < notes.n; i++) {
		buf_printf(out, "%zu. ", i + 1);
		md_text(out, notes.v[i]);
		buf_puts(out, "\n");
	}
}

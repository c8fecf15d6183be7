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
#define WIDTH  80
#define ACROSS 3 /* columns of 80 */

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
	figure_within(out, row->unit, &s, COLUMN - 1);
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

/* The subjects that stand side by side. */
struct block {
	enum report_subject v[ACROSS];
	size_t n;
};

/* "n=10", or "n=3+" when the columns differ and the least has 3. */
static void print_count(const struct report_cell *c, const struct block *b, struct buf *out)
{
	size_t low = SIZE_MAX, high = 0;

	for (size_t i = 0; i < b->n; i++) {
		size_t n = c[b->v[i]].n;

		if (!n)
			continue;
		low = n < low ? n : low;
		high = n > high ? n : high;
	}
	if (high && low == high)
		buf_printf(out, "n=%zu", high);
	else if (high)
		buf_printf(out, "n=%zu+", low);
}

static void table_row(const struct report *r, unsigned int i, const struct block *b,
		      struct notes *notes, struct buf *out)
{
	const struct report_line row = report_line(i);
	size_t start = out->len;

	buf_puts(out, row.label);
	pad(out, start, NUMBER);
	print_count(r->cells[i], b, out);
	for (size_t k = 0; k < b->n; k++) {
		const struct report_cell *c = &r->cells[i][b->v[k]];

		pad(out, start, LABEL + k * COLUMN);
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
	for (size_t k = 0; k < b->n; k++) {
		pad(out, start, LABEL + k * COLUMN);
		print_p95(&row, &r->cells[i][b->v[k]], out);
	}
	buf_puts(out, "\n");
}

/* Nothing of these subjects, and be it a reason. */
static bool blank(const struct report *r, unsigned int row, const struct block *b)
{
	for (size_t k = 0; k < b->n; k++) {
		const struct report_cell *c = &r->cells[row][b->v[k]];

		if (c->n || c->text || (c->why && row < REPORT_PHASES))
			return false;
	}
	return true;
}

static void heads(const struct block *b, struct buf *out)
{
	size_t start = out->len;

	for (size_t k = 0; k < b->n; k++) {
		pad(out, start, LABEL + k * COLUMN);
		buf_puts(out, report_subject_heads[b->v[k]]);
	}
	buf_puts(out, "\n");
}

static void table_block(const struct report *r, const struct block *b, struct notes *notes,
			struct buf *out)
{
	bool phase = false;

	heads(b, out);
	for (unsigned int i = 0; i < REPORT_BEGINS; i++) {
		if (blank(r, i, b))
			continue;
		if (i >= REPORT_PHASES && !phase)
			buf_puts(out, "phases of a start, from the engine's trace\n");
		phase = i >= REPORT_PHASES;
		table_row(r, i, b, notes, out);
	}
	buf_puts(out, "\n");
}

static void attempts_block(const struct report *r, const struct block *b, struct buf *out)
{
	heads(b, out);
	for (size_t i = 0; i < r->nattempts; i++) {
		size_t start = out->len;

		buf_printf(out, "%.*s", LABEL - 1, r->attempts[i].key);
		for (size_t k = 0; k < b->n; k++) {
			const char *got = r->attempts[i].got[b->v[k]];

			pad(out, start, LABEL + k * COLUMN);
			buf_printf(out, "%.*s", COLUMN - 1, got ? got : "-");
		}
		buf_puts(out, "\n");
	}
	buf_puts(out, "\n");
}

/* The groups of subjects that fit side by side; how many. */
static size_t blocks(const struct report *r, struct block *out)
{
	size_t n = 0;

	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		if (!report_shown(r, (enum report_subject)s))
			continue;
		if (!n || out[n - 1].n == ACROSS)
			out[n++].n = 0;
		out[n - 1].v[out[n - 1].n++] = (enum report_subject)s;
	}
	return n;
}

/* Rows: cut at 80 columns, and without trailing blanks. */
static void cut(const struct buf *in, struct buf *out)
{
	for (const char *p = in->p; *p;) {
		size_t len = strcspn(p, "\n"), keep = len > WIDTH ? WIDTH : len;

		while (keep && p[keep - 1] == ' ')
			keep--;
		buf_add(out, p, keep);
		buf_puts(out, "\n");
		p += len + (p[len] == '\n');
	}
}

/* Sentences: broken at blanks. */
static void fold(const struct buf *in, struct buf *out)
{
	for (const char *p = in->p; *p;) {
		size_t len = strcspn(p, "\n"), room = WIDTH;

		while (len > room) {
			size_t keep = room;

			while (keep > WIDTH / 2 && p[keep] != ' ')
				keep--;
			buf_add(out, p, keep);
			buf_puts(out, "\n   ");
			p += keep;
			len -= keep;
			room = WIDTH - 3;
		}
		buf_add(out, p, len);
		buf_puts(out, "\n");
		p += len + (p[len] == '\n');
	}
}

static void noise(const struct report *r, struct buf *out)
{
	const struct report_noise *n = &r->noise;
	struct stats s;

	buf_printf(out,
		   "the machine: load %.1f before and %.1f after, %.0f %% of it busy with others",
		   n->load, n->load_after, n->busy * 100);
	if (n->steal > 0)
		buf_printf(out, ", %.1f %% taken by a hypervisor", n->steal * 100);
	if (stats_of(n->loop.v, n->loop.n, &s) == 0 && s.median > 0)
		buf_printf(out,
			   "; a loop that is always the same took %.0f %% longer than usual at its "
			   "95th percentile",
			   (s.p95 / s.median - 1) * 100);
	buf_puts(out, "\n");
}

static void below(const struct report *r, const struct notes *notes, struct buf *out)
{
	buf_printf(
	    out,
	    "median [interval that holds it with 95 %%, by bootstrap; fewer than 6: smallest to "
	    "largest; +- where that is too wide a text: its farther end] of n; at most %" PRIu64
	    " interleaved rounds in random order after one that does not count\n",
	    r->rounds);
	if (r->budget_bytes) {
		buf_puts(out, "fit in budget: of ");
		figure_put(out, REPORT_BYTES, (double)r->budget_bytes);
		buf_puts(out, " for all of them\n");
	}
	noise(r, out);
	if (r->partial)
		buf_puts(out, "partial: it was interrupted\n");
	for (size_t i = 0; i < notes->n; i++)
		buf_printf(out, "[%zu] %s\n", i + 1, notes->v[i]);
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		if (r->who[s].listed && r->who[s].why)
			buf_printf(out, "%s: %s\n", report_subject_heads[s], r->who[s].why);
		if (r->who[s].note)
			buf_printf(out, "%s: %s\n", report_subject_heads[s], r->who[s].note);
	}
	if (r->accel_why)
		buf_printf(out, "the vm's cpu: %s\n", r->accel_why);
}

void reporttable_write(const struct report *r, struct buf *out)
{
	auto_buf struct buf wide = BUF_INIT(1 << 20), words = BUF_INIT(1 << 20);
	struct block b[REPORT_SUBJECT_MAX_] = {0};
	struct notes notes = {.n = 0};
	size_t n = blocks(r, b);

	buf_printf(&wide, "%s: %s\n%s, %s\n\n", r->image, r->command, r->machine,
		   r->date ? r->date : "");
	for (size_t i = 0; i < n; i++)
		table_block(r, &b[i], &notes, &wide);
	if (r->nattempts)
		buf_puts(&wide,
			 "attempts to get out, made as root inside, and what stopped each\n");
	for (size_t i = 0; r->nattempts && i < n; i++)
		attempts_block(r, &b[i], &wide);
	below(r, &notes, &words);
	cut(&wide, out);
	fold(&words, out);
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
		   ", %s, load %.1f; %" PRIu64
		   " interleaved rounds in random order%s; medians with the interval that holds "
		   "them\n\n|",
		   r->date ? r->date : "", r->noise.load, r->rounds,
		   r->partial ? ", **partial: it was interrupted**" : "");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (report_shown(r, (enum report_subject)s))
			buf_printf(out, " | %s", report_subject_heads[s]);
	buf_puts(out, " |\n|---|");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (report_shown(r, (enum report_subject)s))
			buf_puts(out, "---:|");
	buf_puts(out, "\n");
	for (unsigned int i = 0; i < REPORT_BEGINS; i++) {
		const struct report_line line = report_line(i);

		if (report_row_empty(r, i))
			continue;
		buf_printf(out, "| %s%s |", i < REPORT_PHASES ? "" : "phase: ",
			   line.label + strspn(line.label, " "));
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			if (report_shown(r, (enum report_subject)s))
				md_cell(&line, &r->cells[i][s], &notes, out);
		buf_puts(out, "\n");
	}
	buf_puts(out, "\n");
	for (size_t i = 0; i < notes.n; i++) {
		buf_printf(out, "%zu. ", i + 1);
		md_text(out, notes.v[i]);
		buf_puts(out, "\n");
	}
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (r->who[s].listed && r->who[s].why) {
			buf_printf(out, "\n%s: ", report_subject_heads[s]);
			md_text(out, r->who[s].why);
			buf_puts(out, "\n");
		}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pagechart.h"
#include "base/buf.h"
#include "base/str.h"
#include "compare/figure.h"
#include "compare/pagetext.h"
#include "compare/report.h"
#include "compare/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* Of the drawing of density, in its own units: margins for the numbers of the axes. */
#define LEFT   70.0
#define WIDTH  640.0
#define HEIGHT 240.0
#define BELOW  30.0

/* ---- density ---- */

struct scale {
	size_t most;
	double top;
};

static struct scale scale_of(const struct report *r)
{
	struct scale k = {.top = (double)r->budget_bytes};

	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->density[s];

		k.most = c->n > k.most ? c->n : k.most;
		for (size_t i = 0; i < c->n; i++)
			k.top = c->v[i] > k.top ? c->v[i] : k.top;
	}
	return k;
}

static double x_of(const struct scale *k, size_t n)
{
	return LEFT + (WIDTH - LEFT) * (double)n / (double)k->most;
}

static double y_of(const struct scale *k, double bytes)
{
	return 10 + HEIGHT * (1 - bytes / k->top);
}

static void label_y(struct buf *out, const struct scale *k, double bytes)
{
	buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6,
		   y_of(k, bytes) + 4);
	figure_put(out, REPORT_BYTES, bytes);
	buf_puts(out, "</text>\n");
}

static void axes(struct buf *out, const struct report *r, const struct scale *k)
{
	double zero = y_of(k, 0), limit = y_of(k, (double)r->budget_bytes);

	buf_printf(out,
		   "<line class=\"axis\" x1=\"%.1f\" y1=\"10\" x2=\"%.1f\" y2=\"%.1f\"/>"
		   "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
		   "<line class=\"limit\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
		   LEFT, LEFT, zero, LEFT, zero, WIDTH, zero, LEFT, limit, WIDTH, limit);
	label_y(out, k, 0);
	label_y(out, k, (double)r->budget_bytes);
	buf_printf(out,
		   "<text x=\"%.1f\" y=\"%.1f\">0</text><text x=\"%.1f\" y=\"%.1f\" "
		   "text-anchor=\"end\">%zu instances</text>\n",
		   LEFT, zero + 18, WIDTH, zero + 18, k->most);
}

static void curve(struct buf *out, const struct report_cell *c, const char *name,
		  const struct scale *k)
{
	buf_printf(out, "<polyline class=\"%s\" points=\"%.1f,%.1f", name, x_of(k, 0), y_of(k, 0));
	for (size_t i = 0; i < c->n; i++)
		buf_printf(out, " %.1f,%.1f", x_of(k, i + 1), y_of(k, c->v[i]));
	/* A curve of one step is short: its end is marked. */
	buf_printf(out, "\"/><circle class=\"mark %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", name,
		   x_of(k, c->n), y_of(k, c->v[c->n - 1]));
}

static void legend(struct buf *out, const struct report *r)
{
	buf_puts(out, "<table class=\"bars\"><tbody>\n");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->density[s];

		if (!c->n)
			continue;
		buf_printf(
		    out,
		    "<tr><th scope=\"row\">%s</th><td class=\"bar\"><svg aria-hidden=\"true\" "
		    "viewBox=\"0 0 60 16\" preserveAspectRatio=\"xMinYMid\"><polyline "
		    "class=\"%s\" points=\"0,8 50,8\"/><circle class=\"mark %s\" cx=\"50\" "
		    "cy=\"8\" r=\"4\"/></svg></td><td class=\"figure\">%zu hold ",
		    report_subject_heads[s], report_subject_names[s], report_subject_names[s],
		    c->n);
		figure_put(out, REPORT_BYTES, c->v[c->n - 1]);
		buf_puts(out, "; ");
		pagetext_put(out, c->why ? c->why : "");
		buf_puts(out, "</td></tr>\n");
	}
	buf_puts(out, "</tbody></table>\n");
}

void pagechart_density(struct buf *out, const struct report *r)
{
	const struct scale k = scale_of(r);

	if (!r->budget_bytes || !k.most)
		return;
	buf_puts(out,
		 "<h2>How many fit</h2>\n<p>Idle ones, started one after the other, and the PSS "
		 "of everything kept for all of them after each. The dashed line is the budget "
		 "of ");
	figure_put(out, REPORT_BYTES, (double)r->budget_bytes);
	buf_printf(
	    out,
	    ".</p>\n<svg role=\"img\" aria-label=\"Memory held by the number of instances; the "
	    "table below has the ends of the curves\" viewBox=\"0 0 %.0f %.0f\">\n",
	    WIDTH + 10, HEIGHT + BELOW + 10);
	axes(out, r, &k);
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (r->density[s].n)
			curve(out, &r->density[s], report_subject_names[s], &k);
	buf_puts(out, "</svg>\n");
	legend(out, r);
}

/* ---- the phases of a start ---- */

static double median(const struct report_cell *c)
{
	struct stats t;

	return stats_of(c->v, c->n, &t) == 0 ? t.median : -1;
}

static double whole(const struct report *r, int s)
{
	double end = 0;

	for (unsigned int p = 0; p < TRACE_PHASE_MAX_; p++) {
		double at = median(&r->cells[REPORT_BEGINS + p][s]);
		double took = median(&r->cells[REPORT_PHASES + p][s]);

		if (at >= 0 && took >= 0 && at + took > end)
			end = at + took;
	}
	return end;
}

/* The phase that begins first of those after (at, p); TRACE_PHASE_MAX_: none. */
static unsigned int next_phase(const struct report *r, int s, const bool *done)
{
	unsigned int best = TRACE_PHASE_MAX_;
	double first = 0;

	for (unsigned int p = 0; p < TRACE_PHASE_MAX_; p++) {
		double at = median(&r->cells[REPORT_BEGINS + p][s]);

		if (!done[p] && at >= 0 && (best == TRACE_PHASE_MAX_ || at < first)) {
			best = p;
			first = at;
		}
	}
	return best;
}

static void timeline(struct buf *out, const struct report *r, int s)
{
	double all = whole(r, s);
	bool done[TRACE_PHASE_MAX_] = {0};
	unsigned int p;

	if (all <= 0)
		return;
	pagetext_element(out, "h3", report_subject_heads[s]);
	buf_puts(out, "<table class=\"bars\"><tbody>\n");
	while ((p = next_phase(r, s, done)) < TRACE_PHASE_MAX_) {
		double at = median(&r->cells[REPORT_BEGINS + p][s]);
		double took = median(&r->cells[REPORT_PHASES + p][s]);
		double width = took / all * 100;

		done[p] = true;
		buf_printf(out,
			   "<tr><th scope=\"row\">%s</th><td class=\"bar\"><svg "
			   "aria-hidden=\"true\"><rect class=\"%s\" x=\"%.2f%%\" y=\"15%%\" "
			   "height=\"70%%\" width=\"%.2f%%\"/></svg></td><td class=\"figure\">",
			   report_line(REPORT_PHASES + p).label, report_subject_names[s],
			   at / all * 100, width < 0.3 ? 0.3 : width);
		figure_put(out, REPORT_NS, took);
		buf_puts(out, ", from ");
		figure_put(out, REPORT_NS, at);
		buf_puts(out, "</td></tr>\n");
	}
	buf_puts(out, "</tbody></table>\n");
}

void pagechart_timeline(struct buf *out, const struct report *r)
{
	bool any = false;

	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		if (whole(r, s) <= 0)
			continue;
		if (!any)
			buf_puts(
			    out,
			    "<h2>A start, phase by phase</h2>\n<p>Medians of when each phase of "
			    "the engine's own trace began and how long it took; phases lie "
			    "within one another. Each start has a scale of its own.</p>\n");
		any = true;
		timeline(out, r, s);
	}
}

/* ---- attempts ---- */

void pagechart_attempts(struct buf *out, const struct report *r)
{
	if (!r->nattempts)
		return;
	buf_puts(out,
		 "<h2>Attempts to get out</h2>\n<p>Harmless ones, made as root inside, and what "
		 "stopped each. <em>its own kernel</em>: the kernel that answered is the "
		 "guest's.</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		 "aria-label=\"attempts to get out\"><table class=\"grid\"><thead><tr><th "
		 "scope=\"col\">to</th>");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (report_shown(r, (enum report_subject)s))
			buf_printf(out, "<th scope=\"col\">%s</th>", report_subject_heads[s]);
	buf_puts(out, "</tr></thead><tbody>\n");
	for (size_t i = 0; i < r->nattempts; i++) {
		buf_puts(out, "<tr><th scope=\"row\">");
		pagetext_put(out, r->attempts[i].what);
		buf_puts(out, "</th>");
		for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
			const char *got = r->attempts[i].got[s];

			if (!report_shown(r, (enum report_subject)s))
				continue;
			buf_puts(out, got && streq(got, "got through") ? "<td class=\"through\">"
								       : "<td>");
			pagetext_put(out, got ? got : "not made");
			buf_puts(out, "</td>");
		}
		buf_puts(out, "</tr>\n");
	}
	buf_puts(out, "</tbody></table></div>\n");
}

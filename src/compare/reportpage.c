/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reportpage.h"
#include "base/arena.h"
#include "base/buf.h"
#include "compare/figure.h"
#include "compare/report.h"
#include "compare/reportdata.h"
#include "compare/reportwords.h"
#include "compare/stats.h"
#include "fmt/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* Colours are told apart by lightness, too, and every bar has its figure beside it in words. */
static const char style[] =
    ":root{--ink:#1b1f24;--paper:#fff;--soft:#57606a;--line:#d0d7de;--host:#8c959f;"
    "--container:#0a5bd3;--vm:#b3460b;color-scheme:light dark}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9aa4af;"
    "--line:#30363d;--host:#848d97;--container:#79b8ff;--vm:#ffa657}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}\n"
    "h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere;margin:0 0 .25rem}\n"
    "h2{font-size:1.15rem;margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line);"
    "padding-bottom:.25rem}\n"
    "h3{font-size:1rem;margin:1.5rem 0 .1rem}\n"
    "p,li{max-width:46rem}\n"
    ".soft{color:var(--soft);margin:0;overflow-wrap:anywhere}\n"
    ".partial{border:2px solid var(--vm);padding:.5rem .75rem;font-weight:600}\n"
    "table{width:100%;border-collapse:collapse;table-layout:fixed}\n"
    "th{text-align:left;font-weight:400;width:6.5rem}\n"
    "td.bar{width:auto}td.figure{width:15rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.15rem .5rem .15rem 0;vertical-align:middle;overflow-wrap:anywhere}\n"
    "svg{display:block;width:100%;height:1rem}\n"
    ".host{fill:var(--host)}.container{fill:var(--container)}.vm{fill:var(--vm)}\n"
    ".span{stroke:var(--ink);stroke-width:2}\n"
    "pre{overflow:auto;max-height:24rem;border:1px solid var(--line);padding:.75rem;"
    "font-size:.8rem}\n"
    "summary{cursor:pointer}\n"
    "summary:focus-visible,pre:focus-visible{outline:3px solid var(--container)}\n"
    "@media (max-width:40rem){td.figure{width:11rem}th{width:5rem}body{font-size:15px}}\n"
    "@media print{details{display:none}main{max-width:none}h3,table{break-inside:avoid}"
    "h3{break-after:avoid}}\n";

static void escape(struct buf *out, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		default:
			buf_add(out, s, 1);
		}
}

/* Names of images, commands and reasons are somebody else's. */
static void text(struct buf *out, const char *s)
{
	auto_buf struct buf clean = BUF_INIT(1 << 20);

	utf8_visible(&clean, s);
	escape(out, clean.len ? clean.p : "");
}

static void element(struct buf *out, const char *name, const char *s)
{
	buf_printf(out, "<%s>", name);
	text(out, s);
	buf_printf(out, "</%s>\n", name);
}

/* ---- bars ---- */

static double widest(const struct report_cell *cells)
{
	double max = 0;

	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		struct stats t;

		if (stats_of(cells[s].v, cells[s].n, &t) == 0 && t.high > max)
			max = t.high;
	}
	return max;
}

/* A bar to the median, and a line over the interval that holds it. */
static void bar(struct buf *out, const struct report_cell *c, const char *who, double max)
{
	struct stats t;

	buf_puts(out, "<td class=\"bar\">");
	if (stats_of(c->v, c->n, &t) == 0) {
		buf_printf(
		    out,
		    "<svg aria-hidden=\"true\"><rect class=\"%s\" y=\"15%%\" height=\"70%%\" "
		    "width=\"%.2f%%\"/>",
		    who, t.median / max * 100);
		if (t.high > t.low)
			buf_printf(out,
				   "<line class=\"span\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"50%%\" "
				   "y2=\"50%%\"/>",
				   t.low / max * 100, t.high / max * 100);
		buf_puts(out, "</svg>");
	}
	buf_puts(out, "</td>");
}

static void figure(struct buf *out, enum report_unit unit, const struct report_cell *c, bool alone)
{
	struct stats t;

	buf_puts(out, alone ? "<td>" : "<td class=\"figure\">");
	if (c->text) {
		text(out, c->text);
	} else if (stats_of(c->v, c->n, &t) < 0) {
		text(out, c->why ? c->why : "not measured");
	} else {
		figure_interval(out, unit, &t, "–");
	}
	buf_puts(out, "</td></tr>\n");
}

static void row(struct buf *out, const struct report *r, unsigned int i)
{
	const struct report_line line = report_line(i);
	double max = widest(r->cells[i]);

	element(out, "h3", line.label + strspn(line.label, " "));
	buf_puts(out, "<p class=\"soft\">");
	text(out, line.what);
	buf_puts(out, "</p>\n<table><tbody>\n");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[i][s];

		if (!report_shown(r, (enum report_subject)s) || (i >= REPORT_PHASES && !c->n))
			continue;
		buf_printf(out, "<tr><th scope=\"row\">%s</th>", report_subject_heads[s]);
		if (max > 0)
			bar(out, c, report_subject_names[s], max);
		figure(out, line.unit, c, max <= 0);
	}
	buf_puts(out, "</tbody></table>\n");
}

/* ---- the page ---- */

static void verdict(struct buf *out, const struct report *r)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs said = {0};

	reportwords_verdict(r, &a, &said);
	buf_puts(out, "<h2>What it says</h2>\n<ul>\n");
	for (size_t i = 0; i < said.n; i++)
		element(out, "li", said.v[i]);
	if (!said.n)
		element(out, "li", "Too little was measured to say anything.");
	buf_puts(out, "</ul>\n");
}

static void method(struct buf *out, const struct report *r)
{
	buf_printf(
	    out,
	    "<h2>Method</h2>\n<p>%" PRIu64
	    " rounds that count, after one that does not; each ran every subject once, in random "
	    "order, on this machine. A figure is the median, the brackets and the line over a "
	    "bar are the interval of order statistics that holds the true median with 95&nbsp;%% "
	    "(fewer than six samples: smallest to largest). Bars begin at zero and share a scale "
	    "within a figure. Load of the machine before it began: %.2f.</p>\n",
	    r->rounds, r->noise.load);
	if (r->accel_why) {
		buf_puts(out, "<p>The VM: ");
		text(out, r->accel_why);
		buf_puts(out, ".</p>\n");
	}
}

static void data(struct buf *out, const struct report *r)
{
	auto_buf struct buf json = BUF_INIT(16 << 20);

	reportdata_json(r, &json);
	buf_puts(out,
		 "<h2>Data</h2>\n<details><summary>Every sample, as JSON (caisson compare --diff "
		 "reads it)</summary>\n<pre tabindex=\"0\" aria-label=\"report as JSON\">");
	escape(out, json.p);
	buf_puts(out, "</pre></details>\n");
}

void reportpage_write(const struct report *r, struct buf *out)
{
	bool phases = false;

	buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'\">\n<title>Container or VM: ");
	text(out, r->image);
	buf_printf(out, "</title>\n<style>\n%s</style></head>\n<body><main>\n", style);
	buf_puts(out, "<h1>Container or VM: ");
	text(out, r->image);
	buf_puts(out, "</h1>\n<p class=\"soft\"><code>");
	text(out, r->command);
	buf_puts(out, "</code> on ");
	text(out, r->machine);
	buf_puts(out, "</p>\n");
	if (r->partial)
		buf_puts(out, "<p class=\"partial\">Partial: it was interrupted.</p>\n");
	verdict(out, r);
	buf_puts(out, "<h2>Figures</h2>\n");
	for (unsigned int i = 0; i < REPORT_BEGINS; i++) {
		if (report_row_empty(r, i))
			continue;
		if (i >= REPORT_PHASES && !phases)
			buf_puts(
			    out,
			    "<h2>A start, phase by phase</h2>\n<p>Medians from the engine's own "
			    "trace; phases lie within one another.</p>\n");
		phases = i >= REPORT_PHASES;
		row(out, r, i);
	}
	method(out, r);
	data(out, r);
	buf_puts(out, "</main></body></html>\n");
}

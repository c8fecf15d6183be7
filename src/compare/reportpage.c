/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reportpage.h"
#include "base/arena.h"
#include "base/buf.h"
#include "compare/figure.h"
#include "compare/pagechart.h"
#include "compare/pagetext.h"
#include "compare/report.h"
#include "compare/reportdata.h"
#include "compare/reportwords.h"
#include "compare/stats.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* Colours are told apart by lightness, too, and every bar has its name and its figure beside it. */
static const char style[] =
    ":root{--ink:#1b1f24;--paper:#fff;--soft:#57606a;--line:#d0d7de;--host:#8c959f;"
    "--container:#0a5bd3;--vm:#b3460b;--other:#6e40aa;--bad:#a40e26;color-scheme:light dark}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9aa4af;"
    "--line:#30363d;--host:#848d97;--container:#79b8ff;--vm:#ffa657;--other:#d2a8ff;"
    "--bad:#ff8182}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}\n"
    "h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere;margin:0 0 .25rem}\n"
    "h2{font-size:1.15rem;margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line);"
    "padding-bottom:.25rem}\n"
    "h3{font-size:1rem;margin:1.5rem 0 .1rem}\n"
    "p,li,dd{max-width:46rem;overflow-wrap:anywhere}\n"
    "li.first{font-size:1.15rem;font-weight:600}\n"
    ".soft{color:var(--soft);margin:0;overflow-wrap:anywhere}\n"
    ".partial{border:2px solid var(--vm);padding:.5rem .75rem;font-weight:600}\n"
    "table{width:100%;border-collapse:collapse}\n"
    ".bars{table-layout:fixed}\n"
    ".bars th{text-align:left;font-weight:400;width:10.5rem}\n"
    "td.bar{width:auto}td.figure{width:15rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.15rem .5rem .15rem 0;vertical-align:middle;overflow-wrap:anywhere}\n"
    "td.none{color:var(--soft);font-size:.9rem}\n"
    "svg{display:block;width:100%}td svg{height:1rem}\n"
    "rect,.mark{fill:var(--other);stroke:none}.host{fill:var(--host)}"
    ".container,.rootless{fill:var(--container)}.vm,.vm-cold,.pod{fill:var(--vm)}\n"
    "polyline{fill:none;stroke:var(--other);stroke-width:2;vector-effect:non-scaling-stroke}\n"
    "polyline.host{stroke:var(--host);fill:none}polyline.container,polyline.rootless"
    "{stroke:var(--container);fill:none}polyline.vm,polyline.vm-cold,polyline.pod"
    "{stroke:var(--vm);fill:none}\n"
    "polyline.rootless,polyline.pod,polyline.podman{stroke-dasharray:6 3}"
    "polyline.vm-cold,polyline.crun{stroke-dasharray:2 3}\n"
    ".axis{stroke:var(--line);stroke-width:1}.limit{stroke:var(--bad);stroke-dasharray:8 4}\n"
    "svg text{fill:var(--ink);font-size:12px}\n"
    ".span{stroke:var(--ink);stroke-width:2}\n"
    ".scroll{overflow-x:auto}\n"
    ".grid th,.grid td{border-bottom:1px solid var(--line);text-align:left;white-space:nowrap;"
    "padding-right:1rem}.grid th[scope=row]{font-weight:400;white-space:normal;"
    "min-width:14rem}\n"
    ".through{color:var(--bad);font-weight:600}\n"
    "pre{overflow:auto;max-height:24rem;border:1px solid var(--line);padding:.75rem;"
    "font-size:.8rem}code{overflow-wrap:anywhere}\n"
    "summary{cursor:pointer}\n"
    "summary:focus-visible,pre:focus-visible,.scroll:focus-visible"
    "{outline:3px solid var(--container)}\n"
    "@media (max-width:40rem){.bars tr{display:block;padding:.25rem 0}"
    ".bars th,.bars td,td.figure,.bars th{display:block;width:auto;padding:0}"
    "body{font-size:15px}svg text{font-size:20px}}\n"
    "@media print{details{display:none}main{max-width:none}h3,table{break-inside:avoid}"
    "h2,h3{break-after:avoid}.scroll{overflow:visible}.grid td,.grid th{white-space:normal}}\n";

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
	bool none = !c->text && stats_of(c->v, c->n, &t) < 0;

	if (alone)
		buf_puts(out, none ? "<td class=\"none\">" : "<td>");
	else
		buf_puts(out, none ? "<td class=\"figure none\">" : "<td class=\"figure\">");
	if (c->text)
		pagetext_put(out, c->text);
	else if (none)
		pagetext_put(out, c->why ? c->why : "not measured");
	else
		figure_interval(out, unit, &t, "–");
	buf_puts(out, "</td></tr>\n");
}

static void row(struct buf *out, const struct report *r, unsigned int i)
{
	const struct report_line line = report_line(i);
	double max = widest(r->cells[i]);

	pagetext_element(out, "h3", line.label + strspn(line.label, " "));
	buf_puts(out, "<p class=\"soft\">");
	pagetext_put(out, line.what);
	buf_puts(out, "</p>\n<table class=\"bars\"><tbody>\n");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[i][s];

		if (!report_shown(r, (enum report_subject)s))
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
	for (size_t i = 0; i < said.n; i++) {
		buf_puts(out, i ? "<li>" : "<li class=\"first\">");
		pagetext_put(out, said.v[i]);
		buf_puts(out, "</li>\n");
	}
	if (!said.n)
		pagetext_element(out, "li", "Too little was measured to say anything.");
	buf_puts(out, "</ul>\n");
}

static void noise(struct buf *out, const struct report *r)
{
	const struct report_noise *n = &r->noise;
	struct stats t;

	buf_printf(
	    out,
	    "<p>The machine: load %.2f before and %.2f after; %.0f&nbsp;%% of its processors "
	    "busy with others before it began; %.1f&nbsp;%% taken by a hypervisor meanwhile.",
	    n->load, n->load_after, n->busy * 100, n->steal * 100);
	if (stats_of(n->loop.v, n->loop.n, &t) == 0 && t.median > 0)
		buf_printf(
		    out,
		    " A loop that is always the same, between the turns: %.0f&nbsp;%% longer "
		    "than its median at the 95th percentile, n=%zu.",
		    (t.p95 / t.median - 1) * 100, t.n);
	buf_puts(out, "</p>\n");
}

static void who(struct buf *out, const struct report *r)
{
	buf_puts(out, "<h3>Who was compared, and how to do it again</h3>\n<dl>\n");
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_who *w = &r->who[s];

		if (!w->listed)
			continue;
		pagetext_element(out, "dt", report_subject_heads[s]);
		buf_puts(out, "<dd>");
		if (w->why)
			pagetext_put(out, w->why);
		else if (w->command)
			pagetext_element(out, "code", w->command);
		if (w->note) {
			buf_puts(out, "<br>");
			pagetext_put(out, w->note);
		}
		buf_puts(out, "</dd>\n");
	}
	buf_puts(out, "</dl>\n");
}

static void method(struct buf *out, const struct report *r)
{
	buf_printf(
	    out,
	    "<h2>Method</h2>\n<p>At most %" PRIu64
	    " rounds that count, after one that does not; each ran every subject once, in random "
	    "order, on this machine. A figure is the median, the brackets and the line over a "
	    "bar are its 95&nbsp;%% bootstrap interval (fewer than six samples: smallest to "
	    "largest). Bars begin at zero and share a scale within a figure. It took %.0f "
	    "s.</p>\n",
	    r->rounds, (double)r->took_ns / 1e9);
	noise(out, r);
	if (r->accel_why) {
		buf_puts(out, "<p>The VM: ");
		pagetext_put(out, r->accel_why);
		buf_puts(out, ".</p>\n");
	}
	who(out, r);
}

static void data(struct buf *out, const struct report *r)
{
	auto_buf struct buf json = BUF_INIT(16 << 20);

	reportdata_json(r, &json);
	buf_puts(out,
		 "<h2>Data</h2>\n<details><summary>Every sample, as JSON (caisson compare --diff "
		 "reads it)</summary>\n<pre tabindex=\"0\" aria-label=\"report as JSON\">");
	pagetext_escape(out, json.p);
	buf_puts(out, "</pre></details>\n");
}

static void head(struct buf *out, const struct report *r)
{
	buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'; img-src data:\">\n<link rel=\"icon\" "
		      "href=\"data:,\">\n<title>Container or VM: ");
	pagetext_put(out, r->image);
	buf_printf(out, "</title>\n<style>\n%s</style></head>\n<body><main>\n", style);
	buf_puts(out, "<h1>Container or VM: ");
	pagetext_put(out, r->image);
	buf_puts(out, "</h1>\n<p class=\"soft\"><code>");
	pagetext_put(out, r->command);
	buf_puts(out, "</code> on ");
	pagetext_put(out, r->machine);
	if (r->date) {
		buf_puts(out, ", ");
		pagetext_put(out, r->date);
	}
	buf_puts(out, "</p>\n");
	if (r->partial)
		buf_puts(out, "<p class=\"partial\">Partial: it was interrupted.</p>\n");
}

void reportpage_write(const struct report *r, struct buf *out)
{
	head(out, r);
	verdict(out, r);
	buf_puts(out, "<h2>Figures</h2>\n");
	for (unsigned int i = 0; i < REPORT_PHASES; i++)
		if (!report_row_empty(r, i))
			row(out, r, i);
	pagechart_density(out, r);
	pagechart_timeline(out, r);
	pagechart_attempts(out, r);
	method(out, r);
	data(out, r);
	buf_puts(out, "</main></body></html>\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reportdiff.h"
#include "base/buf.h"
#include "compare/figure.h"
#include "compare/report.h"
#include "compare/stats.h"

#include <stdbool.h>
#include <string.h>

#define KEY    20
#define WHO    10
#define FIGURE 12

static void put(struct buf *out, enum report_unit unit, const struct stats *s)
{
	size_t from = out->len;

	figure_put(out, unit, s->median);
	while (out->len - from < FIGURE)
		buf_puts(out, " ");
}

static void verdict(const struct stats *a, const struct stats *b, struct buf *out)
{
	bool apart = a->high < b->low || b->high < a->low;

	if (a->median > 0)
		buf_printf(out, "%-8.2f", b->median / a->median);
	else
		buf_printf(out, "%-8s", "-");
	buf_puts(out, !apart ? "not told apart" : b->median < a->median ? "less" : "more");
	buf_puts(out, "\n");
}

static void compare_row(const struct report *a, const struct report *b, unsigned int row,
			struct buf *out)
{
	const struct report_line line = report_line(row);

	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *x = &a->cells[row][s], *y = &b->cells[row][s];
		struct stats sa, sb;

		if (stats_of(x->v, x->n, &sa) < 0 || stats_of(y->v, y->n, &sb) < 0)
			continue;
		buf_printf(out, "%-*.*s%-*s", KEY, KEY - 1, line.key, WHO, report_subject_names[s]);
		put(out, line.unit, &sa);
		put(out, line.unit, &sb);
		verdict(&sa, &sb, out);
	}
}

static void head(const char *side, const char *name, const struct report *r, struct buf *out)
{
	buf_printf(out, "%s  %.70s\n", side, name);
	buf_printf(out, "   %.30s: %.40s\n", r->image, r->command);
	buf_printf(out, "   %.50s, load %.1f, n=%d%s\n", r->machine, r->noise.load, (int)r->rounds,
		   r->partial ? ", partial" : "");
}

void reportdiff_write(const struct report *a, const struct report *b, const char *name_a,
		      const char *name_b, struct buf *out)
{
	head("A", name_a, a, out);
	head("B", name_b, b, out);
	if (strcmp(a->image, b->image) != 0 || strcmp(a->command, b->command) != 0)
		buf_puts(out, "The two did not do the same work.\n");
	buf_printf(out, "\n%-*s%-*s%-*s%-*s%s\n", KEY + WHO, "", FIGURE, "A", FIGURE, "B", 8, "B/A",
		   "B is");
	for (unsigned int i = 0; i < REPORT_ROW_MAX_; i++)
		compare_row(a, b, i, out);
	buf_puts(out, "\nmedians; not told apart: the intervals that hold them overlap\n");
}

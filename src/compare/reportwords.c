/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reportwords.h"
#include "base/arena.h"
#include "base/buf.h"
#include "compare/figure.h"
#include "compare/report.h"
#include "compare/stats.h"

#include <stdbool.h>

static bool get(const struct report *r, unsigned int row, enum report_subject s, struct stats *out)
{
	return stats_of(r->cells[row][s].v, r->cells[row][s].n, out) == 0;
}

static void say(struct arena *a, struct strs *out, const struct buf *b)
{
	arena_strs_add(a, out, arena_dup(a, b->p));
}

/* "A VM" */
static void subject(struct buf *b, enum report_subject s)
{
	const char *w = report_subject_words[s];

	buf_printf(b, "%c%s", *w >= 'a' && *w <= 'z' ? *w - 'a' + 'A' : *w, w + 1);
}

/* Of fewer than four each, two samples of one and the same thing lie apart by chance in one case of
 * ten or more; of four, in one of 35. */
#define ENOUGH 4

static bool apart(const struct stats *x, const struct stats *y)
{
	if (x->n < ENOUGH || y->n < ENOUGH)
		return false;
	return x->low > y->high || y->low > x->high;
}

/* "For this workload a VM costs 38 ms and 16 MiB more and stops 14 more attempts than a container."
 */
static void sum(const struct report *r, enum report_subject s, enum report_subject than,
		struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats t[2], m[2], e[2];

	if (!get(r, REPORT_FIRST, s, &t[0]) || !get(r, REPORT_FIRST, than, &t[1]) ||
	    !get(r, REPORT_MEMORY, s, &m[0]) || !get(r, REPORT_MEMORY, than, &m[1]) ||
	    !apart(&t[0], &t[1]) || t[0].median < t[1].median || m[0].median < m[1].median)
		return;
	buf_printf(&b, "For this workload %s costs ", report_subject_words[s]);
	figure_put(&b, REPORT_NS, t[0].median - t[1].median);
	buf_puts(&b, " until the first byte and ");
	figure_put(&b, REPORT_BYTES, m[0].median - m[1].median);
	buf_printf(&b, " more than %s", report_subject_words[than]);
	if (get(r, REPORT_STOPPED, s, &e[0]) && get(r, REPORT_STOPPED, than, &e[1])) {
		double more = e[0].median - e[1].median;

		if (more > 0)
			buf_printf(&b, " and stops %.0f more of %zu attempts to get out", more,
				   r->nattempts);
		else if (more < 0)
			buf_printf(&b, " and stops %.0f fewer of %zu attempts to get out", -more,
				   r->nattempts);
		else
			buf_printf(&b, " and stops as many of %zu attempts to get out",
				   r->nattempts);
	}
	buf_puts(&b, ".");
	say(a, out, &b);
}

/* "is ready after 12 ms, 10 ms later than ..." */
static void start(const struct report *r, enum report_subject s, enum report_subject than,
		  struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats x, y;

	if (!get(r, REPORT_FIRST, s, &x) || !get(r, REPORT_FIRST, than, &y))
		return;
	subject(&b, s);
	buf_puts(&b, " answers after ");
	figure_put(&b, REPORT_NS, x.median);
	if (apart(&x, &y)) {
		buf_puts(&b, ": ");
		figure_put(&b, REPORT_NS,
			   x.median > y.median ? x.median - y.median : y.median - x.median);
		buf_printf(&b, " %s than %s.", x.median > y.median ? "later" : "sooner",
			   report_subject_words[than]);
	} else {
		buf_printf(&b, ", which is not told apart from %s.", report_subject_words[than]);
	}
	say(a, out, &b);
}

static void memory(const struct report *r, enum report_subject box, struct arena *a,
		   struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats c, v;

	if (!get(r, REPORT_MEMORY, box, &c) || !get(r, REPORT_MEMORY, REPORT_VM, &v))
		return;
	buf_puts(&b, "At rest the container keeps ");
	figure_put(&b, REPORT_BYTES, c.median);
	buf_puts(&b, " of the host's memory, the VM ");
	figure_put(&b, REPORT_BYTES, v.median);
	buf_puts(&b, ".");
	say(a, out, &b);
}

static void work(const struct report *r, enum report_subject s, struct arena *a, struct strs *out)
{
	static const struct {
		unsigned int row;
		const char *what;
	} kinds[] = {
	    {REPORT_CPU, "arithmetic takes"},  {REPORT_SYSCALLS, "a system call"},
	    {REPORT_FORK, "fork and exec"},    {REPORT_NAMES, "a file's making and removal"},
	    {REPORT_RWRITE, "a random write"}, {REPORT_REQUEST, "an HTTP request"}};
	auto_buf struct buf b = BUF_INIT(1024);
	int n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct stats x, host;

		if (!get(r, kinds[i].row, s, &x) || !get(r, kinds[i].row, REPORT_HOST, &host) ||
		    host.median <= 0)
			continue;
		if (!n++)
			buf_printf(&b, "In %s ", report_subject_words[s]);
		else
			buf_puts(&b, ", ");
		buf_printf(&b, "%s ", kinds[i].what);
		if (!apart(&x, &host))
			buf_puts(&b, "as long as on the host");
		else
			buf_printf(&b, "%.2f times what the host needs", x.median / host.median);
	}
	buf_puts(&b, ".");
	if (n)
		say(a, out, &b);
}

/* "Of 512 MiB, 12 VMs were started, and 100 containers or more." */
static void crowd(const struct report *r, struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	int n = 0;

	if (!r->budget_bytes)
		return;
	figure_put(&b, REPORT_BYTES, (double)r->budget_bytes);
	buf_puts(&b, " of memory held ");
	for (int s = REPORT_CONTAINER; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[REPORT_FITS][s];

		if (!c->n)
			continue;
		buf_printf(&b, "%s%.0f%s idle (%s)", n++ ? ", " : "", c->v[0],
			   c->text ? " or more" : "", report_subject_heads[s]);
	}
	buf_puts(&b, "; each was really started.");
	if (n)
		say(a, out, &b);
}

static void wall(const struct report *r, enum report_subject box, struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats c, v;

	if (!get(r, REPORT_REACH, box, &c) || !get(r, REPORT_REACH, REPORT_VM, &v))
		return;
	buf_printf(
	    &b,
	    "What broke out of its own rules would find %.0f system calls of the host's kernel "
	    "behind the container, %.0f behind the VM, which has a kernel of its own before "
	    "that.",
	    c.median, v.median);
	say(a, out, &b);
}

void reportwords_verdict(const struct report *r, struct arena *a, struct strs *out)
{
	enum report_subject box =
	    report_shown(r, REPORT_CONTAINER) ? REPORT_CONTAINER : REPORT_ROOTLESS;

	sum(r, REPORT_VM, box, a, out);
	start(r, REPORT_VM, box, a, out);
	start(r, box, REPORT_HOST, a, out);
	start(r, REPORT_COLD, REPORT_VM, a, out);
	memory(r, box, a, out);
	crowd(r, a, out);
	work(r, box, a, out);
	work(r, REPORT_VM, a, out);
	wall(r, box, a, out);
}

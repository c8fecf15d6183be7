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

static const char *name(enum report_subject s)
{
	return s == REPORT_HOST	       ? "a process of the host"
	       : s == REPORT_CONTAINER ? "a container"
				       : "a VM";
}

/* "is ready after 12 ms, 10 ms later than ..." */
static void start(const struct report *r, enum report_subject s, enum report_subject than,
		  struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats x, y;

	if (!get(r, REPORT_FIRST, s, &x) || !get(r, REPORT_FIRST, than, &y))
		return;
	buf_printf(&b, "%s answers after ", s == REPORT_VM ? "A VM" : "A container");
	figure_put(&b, REPORT_NS, x.median);
	if (x.low > y.high || y.low > x.high) {
		buf_puts(&b, ": ");
		figure_put(&b, REPORT_NS,
			   x.median > y.median ? x.median - y.median : y.median - x.median);
		buf_printf(&b, " %s than %s.", x.median > y.median ? "later" : "sooner",
			   name(than));
	} else {
		buf_printf(&b, ", which is not told apart from %s.", name(than));
	}
	say(a, out, &b);
}

static void memory(const struct report *r, struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats c, v;

	if (!get(r, REPORT_MEMORY, REPORT_CONTAINER, &c) || !get(r, REPORT_MEMORY, REPORT_VM, &v))
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
	} kinds[] = {{REPORT_CPU, "arithmetic takes"},
		     {REPORT_SYSCALLS, "system calls take"},
		     {REPORT_FILES, "file I/O takes"}};
	auto_buf struct buf b = BUF_INIT(1024);
	int n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct stats x, host;

		if (!get(r, kinds[i].row, s, &x) || !get(r, kinds[i].row, REPORT_HOST, &host) ||
		    host.median <= 0)
			continue;
		buf_printf(&b, "%s %s ",
			   n++		    ? ";"
			   : s == REPORT_VM ? "In a VM"
					    : "In a container",
			   kinds[i].what);
		if (x.low <= host.high && host.low <= x.high)
			buf_puts(&b, "as long as on the host");
		else
			buf_printf(&b, "%.2f times what the host needs", x.median / host.median);
	}
	buf_puts(&b, ".");
	if (n)
		say(a, out, &b);
}

static void wall(const struct report *r, struct arena *a, struct strs *out)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct stats c, v;

	if (!get(r, REPORT_REACH, REPORT_CONTAINER, &c) || !get(r, REPORT_REACH, REPORT_VM, &v))
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
	start(r, REPORT_VM, REPORT_CONTAINER, a, out);
	start(r, REPORT_CONTAINER, REPORT_HOST, a, out);
	memory(r, a, out);
	work(r, REPORT_CONTAINER, a, out);
	work(r, REPORT_VM, a, out);
	wall(r, a, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "compare/report.h"
#include "compare/reportclaim.h"
#include "compare/reportdata.h"
#include "compare/reportdiff.h"
#include "compare/reportpage.h"
#include "compare/reporttable.h"
#include "compare/reportwords.h"
#include "fmt/json.h"

#include <stdbool.h>

static void fill(struct report *r, struct arena *a)
{
	*r = (struct report){.arena = a,
			     .image = "caisson/tiny",
			     .command = "uname -r",
			     .machine = "2 cpus",
			     .date = "2026-11-21 21:00 UTC",
			     .rounds = 10};
	for (int s = 0; s <= REPORT_VM; s++)
		r->who[s].listed = true;
	for (int i = 0; i < 10; i++) {
		report_add(r, REPORT_FIRST, REPORT_HOST, 1.1e6 + i * 1e4);
		report_add(r, REPORT_FIRST, REPORT_CONTAINER, 12.3e6 + i * 1e5);
		report_add(r, REPORT_FIRST, REPORT_VM, 999e6 + i * 111e6);
		report_add(r, REPORT_MEMORY, REPORT_CONTAINER, (1 << 20) * 1.5 + i * 1e5);
	}
	report_text(r, REPORT_KERNEL, REPORT_HOST, "6.18.44");
	report_add(r, REPORT_REACH, REPORT_CONTAINER, 301);
	report_missing(r, REPORT_REACH, REPORT_VM,
		       "a reason that is far longer than what fits into one line of a terminal "
		       "with eighty columns, really");
	report_missing(r, REPORT_REACH, REPORT_CONTAINER, "not seen: there is a figure");
	report_add(r, REPORT_PHASES + TRACE_BOOT, REPORT_VM, 7e8);
	r->accel_why = "tcg, because /dev/kvm does not run ordinary kernel code here, as the probe "
		       "found out in 4 ms";
}

TEST(the_table_fits_eighty_columns_and_says_what_it_is)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct report r;

	fill(&r, &a);
	reporttable_write(&r, &out);
	for (const char *p = out.p; *p; p += strcspn(p, "\n") + 1)
		CHECK(strcspn(p, "\n") <= 80);
	CHECK(strstr(out.p, "first output   n=10 1.15 ms [1.1"));
	CHECK(strstr(out.p, "12.8 ms [12."));
	CHECK(strstr(out.p, "1.50 s ["));
	CHECK(strstr(out.p, "with 95 %"));
	CHECK(strstr(out.p, "host syscalls  n=1  n/a [1]"));
	CHECK(strstr(out.p, "[2] a reason that is far"));
	CHECK(!strstr(out.p, "not seen"));
	CHECK(!strstr(out.p, "cpu-bound"));
	CHECK(strstr(out.p, "\nboot           n=1"));
}

TEST(json_has_every_sample)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	auto_json struct json *j = NULL;
	const struct json *row;
	struct err e = ERR_INIT;
	struct report r;

	fill(&r, &a);
	reportdata_json(&r, &out);
	CHECK_INT(json_parse(out.p, out.len, "report", &j, &e), 0);
	row = json_at(json_member(j, "rows"), 1);
	CHECK_STR(json_string(json_member(row, "key")), "first_output");
	CHECK_INT(json_length(json_member(json_member(row, "vm"), "samples")), 10);
}

TEST(csv_has_a_line_for_every_cell)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct report r;
	int lines = 0;

	fill(&r, &a);
	reportdata_csv(&r, &out);
	for (const char *p = out.p; *p; p += strcspn(p, "\n") + 1) {
		int commas = 0;
		bool quoted = false;

		for (const char *c = p; *c != '\n'; c++) {
			quoted ^= *c == '"';
			commas += !quoted && *c == ',';
		}
		CHECK_INT(commas, 11);
		lines++;
	}
	CHECK_INT(lines, 1 + 5 * 3);
}

TEST(json_is_read_back)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct report r, back;

	fill(&r, &a);
	reportdata_json(&r, &out);
	CHECK_INT(reportdata_read(out.p, out.len, "x.json", &a, &back, &e), 0);
	reportdata_json(&back, &again);
	CHECK_STR(again.p, out.p);
	CHECK(reportdata_read("{}", 2, "x.json", &a, &back, &e) < 0);
	CHECK_INT(e.kind, ERR_CORRUPT);
	CHECK(strstr(e.msg, "'x.json'"));
}

static bool holds(const struct report *r, const char *text)
{
	auto_buf struct buf why = BUF_INIT(4096);
	struct err e = ERR_INIT;
	struct reportclaim c;

	return reportclaim_parse(text, &c, &e) == 0 && reportclaim_holds(&c, r, &why);
}

TEST(claims_hold_or_say_what_is)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf why = BUF_INIT(4096);
	struct err e = ERR_INIT;
	struct reportclaim c;
	struct report r;

	fill(&r, &a);
	CHECK(holds(&r, "container.first_output < 13ms"));
	CHECK(holds(&r, "container.start_p50<0.013s"));
	CHECK(holds(&r, "container.first_output_max <= 13.2ms"));
	CHECK(!holds(&r, "container.first_output_max < 13.2ms"));
	CHECK(holds(&r, "container.memory_pss > 1 MiB"));
	CHECK(holds(&r, "vm.phase_boot >= 0.7s"));
	CHECK(holds(&r, "host.start_n >= 10"));
	CHECK(!holds(&r, "vm.memory_pss > 0B")); /* nothing was measured */
	CHECK_INT(reportclaim_parse("vm.first_output_p95 < 1 ms", &c, &e), 0);
	CHECK(!reportclaim_holds(&c, &r, &why));
	CHECK_STR(why.p, "vm.first_output_p95 < 1 ms does not hold: it is 2.00 s");
}

TEST(claims_that_are_none)
{
	static const char *const wrong[] = {"",
					    "vm",
					    "pods.start < 1ms",
					    "vm.kernel < 1ms",
					    "vm.nothing < 1ms",
					    "vm.start = 1ms",
					    "vm.start < ms",
					    "vm.start < 1",
					    "vm.start < 1MiB",
					    "vm.start < -1ms",
					    "vm.start < nan ms",
					    "vm.start_n < 1ms",
					    "vm.memory_pss < 1s",
					    "vm.start < 1ms or so"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;
		struct reportclaim c;

		CHECK(reportclaim_parse(wrong[i], &c, &e) < 0);
		CHECK_INT(e.kind, ERR_USAGE);
	}
}

TEST(two_reports_are_told_apart_only_where_they_differ)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct report x, y;

	fill(&x, &a);
	fill(&y, &a);
	for (size_t i = 0; i < 10; i++)
		y.cells[REPORT_FIRST][REPORT_CONTAINER].v[i] *= 2;
	reportdiff_write(&x, &y, "x.json", "y.json", &out);
	for (const char *p = out.p; *p; p += strcspn(p, "\n") + 1)
		CHECK(strcspn(p, "\n") <= 80);
	CHECK(strstr(out.p, "container 12.8 ms     25.5 ms     2.00    more\n"));
	CHECK(strstr(out.p, "host      1.15 ms     1.15 ms     1.00    not told apart\n"));
	CHECK(!strstr(out.p, "to_exit"));
}

TEST(words_say_only_what_figures_say)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs said = {0};
	struct report r;

	fill(&r, &a);
	reportwords_verdict(&r, &a, &said);
	CHECK_INT(said.n, 2); /* the VM's memory and its reach are not known */
	CHECK_STR(said.v[0], "A VM answers after 1.50 s: 1.49 s later than a container.");
	CHECK(strstr(said.v[1], "later than a process of the host."));
}

TEST(the_page_needs_nothing_and_runs_nothing)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct report r;

	fill(&r, &a);
	r.image = "<script>alert(1)</script>";
	r.command = "a\033[31m \"b\"";
	r.partial = true;
	reportpage_write(&r, &out);
	CHECK(!strstr(out.p, "<script"));
	CHECK(strstr(out.p, "&lt;script&gt;alert(1)"));
	CHECK(!strchr(out.p, '\033'));
	CHECK(!strstr(out.p, "http:") && !strstr(out.p, "https:") && !strstr(out.p, "url("));
	CHECK(strstr(out.p, "Partial: it was interrupted."));
	CHECK(strstr(out.p, "a reason that is far longer"));
	CHECK(strstr(out.p, "default-src 'none'"));
}

TEST(markdown_marks_nothing_of_others)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct report r;

	fill(&r, &a);
	r.command = "a | b `c`";
	reporttable_markdown(&r, &out);
	CHECK(strstr(out.p, "a \\| b \\`c\\`"));
	CHECK(strstr(out.p, "| first output | 1.15 ms \\[1.1"));
}

TEST_MAIN(T(the_table_fits_eighty_columns_and_says_what_it_is), T(json_has_every_sample),
	  T(csv_has_a_line_for_every_cell), T(json_is_read_back), T(claims_hold_or_say_what_is),
	  T(claims_that_are_none), T(two_reports_are_told_apart_only_where_they_differ),
	  T(words_say_only_what_figures_say), T(the_page_needs_nothing_and_runs_nothing),
	  T(markdown_marks_nothing_of_others))

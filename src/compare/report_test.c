/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "compare/report.h"
#include "fmt/json.h"

#include <stdbool.h>

static void fill(struct report *r, struct arena *a)
{
	*r = (struct report){.arena = a,
			     .image = "caisson/tiny",
			     .command = "uname -r",
			     .machine = "2 cpus",
			     .rounds = 10};
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
	report_write(&r, REPORT_TABLE, &out);
	for (const char *p = out.p; *p; p += strcspn(p, "\n") + 1)
		CHECK(strcspn(p, "\n") <= 80);
	CHECK(strstr(out.p, "first output   n=10 1.15 ms [1.11-1.18] "));
	CHECK(strstr(out.p, "12.8 ms [12.4-13.1]"));
	CHECK(strstr(out.p, "1.50 s [1.11-1.89]"));
	CHECK(strstr(out.p, "with 98 %"));
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
	report_write(&r, REPORT_JSON, &out);
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
	report_write(&r, REPORT_CSV, &out);
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

TEST_MAIN(T(the_table_fits_eighty_columns_and_says_what_it_is), T(json_has_every_sample),
	  T(csv_has_a_line_for_every_cell))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/proc_stat.h"

static const char tail[] = " S 7 8 9 34816 11 4194304 1 2 3 4 55 66 1 2 20 -5 3 0 777 1048576 256 "
			   "18446744073709551615 1 1 0";

TEST(a_name_with_parentheses_and_line_ends)
{
	struct proc_stat s;
	char line[256];

	snprintf(line, sizeof(line), "42 (a) R 1 (\n)%s", tail);
	CHECK(proc_stat_parse(line, strlen(line), &s));
	CHECK_STR(s.comm, "a) R 1 (\n");
	CHECK(s.state == 'S');
	CHECK_INT(s.ppid, 7);
	CHECK_INT(s.tty, 34816);
	CHECK_INT(s.user_ticks, 55);
	CHECK_INT(s.system_ticks, 66);
	CHECK_INT(s.nice, -5);
	CHECK_INT(s.threads, 3);
	CHECK_INT(s.start_ticks, 777);
	CHECK_INT(s.vsize_bytes, 1048576);
	CHECK_INT(s.rss_pages, 256);
}

TEST(what_is_cut_short_or_malformed_is_refused)
{
	struct proc_stat s = {.ppid = 99};
	char line[256];

	snprintf(line, sizeof(line), "42 (sh)%s", tail);
	for (size_t i = 0; i < (size_t)(strstr(line, " 256 ") - line); i++)
		CHECK(!proc_stat_parse(line, i, &s));
	CHECK(!proc_stat_parse(")(", 2, &s));
	CHECK(!proc_stat_parse("1 (x) S a", 9, &s));
	CHECK_INT(s.ppid, 99);
}

TEST_MAIN(T(a_name_with_parentheses_and_line_ends), T(what_is_cut_short_or_malformed_is_refused))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/subid.h"

TEST(ranges_of_a_name_and_of_its_number)
{
	static const char text[] = "root:100000:65536\nann:200000:65536\n1000:300000:10\nbob:1:2";
	struct subid s[4];

	CHECK_INT(subid_ranges(text, "ann", 1000, s, 4), 2);
	CHECK_INT(s[0].first, 200000);
	CHECK_INT(s[0].count, 65536);
	CHECK_INT(s[1].first, 300000);
	CHECK_INT(subid_ranges(text, "ann", 1000, s, 1), 1);
	CHECK_INT(subid_ranges(text, "bob", 7, s, 4), 1);
	CHECK_INT(subid_ranges(text, NULL, 8, s, 4), 0);
}

TEST(what_is_malformed_or_passes_the_last_id_is_skipped)
{
	static const char text[] = "a:1\na:x:5\na:5:\na:0:10\na:5:0\na:4294967290:6\n"
				   "a:4294967296:1\na:1:99999999999\n:1:1\nab:9:9\na:1:1:1\n"
				   "a:4294967290:5\n";
	struct subid s[4];

	CHECK_INT(subid_ranges(text, "a", 77, s, 4), 1);
	CHECK_INT(s[0].count, 5);
}

TEST_MAIN(T(ranges_of_a_name_and_of_its_number),
	  T(what_is_malformed_or_passes_the_last_id_is_skipped))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/cpulist.h"

TEST(reads_the_kernels_form)
{
	unsigned char m[2];

	CHECK_INT(cpulist_parse("0-2,9", m, sizeof(m)), 0);
	CHECK_INT(m[0], 7);
	CHECK_INT(m[1], 2);
	CHECK_INT(cpulist_parse("", m, sizeof(m)), 0);
	CHECK_INT(m[0], 0);
}

TEST(refuses_what_is_none)
{
	static const char *const bad[] = {"x", "-1", "1-", "2-1", "16", "0;1", "0-99999999999",
					  ","};
	unsigned char m[2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(cpulist_parse(bad[i], m, sizeof(m)) < 0);
}

TEST_MAIN(T(reads_the_kernels_form), T(refuses_what_is_none))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/version_order.h"

TEST(the_rules_of_debian)
{
	/* Each older than the next. */
	static const char *const rising[] = {"0",     "1.0~~",	"1.0~rc1", "1.0",   "1.0-0.1",
					     "1.0-1", "1.0-10", "1.0a",	   "1.0+b", "1.2",
					     "1.10",  "1.10.1", "1:0.1",   "2:0"};

	for (size_t i = 0; i + 1 < sizeof(rising) / sizeof(*rising); i++) {
		CHECK(version_order(rising[i], rising[i + 1]) < 0);
		CHECK(version_order(rising[i + 1], rising[i]) > 0);
	}
	CHECK_INT(version_order("1.0", "1.00"), 0);
	CHECK_INT(version_order("0:1.0", "1.0"), 0);
	CHECK_INT(version_order("1.0-0", "1.0"), 0);
}

TEST_MAIN(T(the_rules_of_debian))

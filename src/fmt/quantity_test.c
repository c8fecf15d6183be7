/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/quantity.h"

TEST(units)
{
	static const struct {
		const char *s;
		int64_t milli;
	} cases[] = {
	    {"1", 1000},
	    {"100m", 100},
	    {"1.5", 1500},
	    {"0.1", 100},
	    {"64Mi", 67108864000},
	    {"1e3", 1000000},
	    {"1E2", 100000},
	    {"2k", 2000000},
	    {"1n", 1},
	    {"128974848", 128974848000},
	    {".5", 500},
	    {"1Ki", 1024000},
	    {"1.5Gi", 1610612736000},
	    {"0", 0},
	    {"5e-1", 500},
	    
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = -1;

		CHECK(quantity_parse(cases[i].s, &v));
		CHECK_INT(v, cases[i].milli);
	}
}

TEST(what_is_none)
{
	static const char *const bad[] = {"",
					  "-1",
					  "m",
					  "1x",
					  "1.2.3",
					  "1 Mi",
					  "1mi",
					  "1e99",
					  "999Ei",
					  "1e",
					  "99999999999999999999999",
					  ".",
					  "0x10",
					  "1e-",
					  "1E9999999999999"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t v = 42;

		CHECK(!quantity_parse(bad[i], &v));
		CHECK_INT(v, 42);
	}
}

TEST_MAIN(T(units), T(what_is_none))

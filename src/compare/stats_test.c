/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "compare/stats.h"

#include <errno.h>

static struct stats of_1_to(size_t n)
{
	struct stats s = {0};
	double v[200];

	/* Neither rising nor falling; 7 has no factor in common with the sizes used. */
	for (size_t i = 0; i < n; i++)
		v[i] = (double)(i * 7 % n + 1);
	stats_of(v, n, &s);
	return s;
}

TEST(nothing_is_said_about_nothing)
{
	struct stats s = {.n = 77};

	CHECK_INT(stats_of(NULL, 0, &s), -EINVAL);
	CHECK_INT(s.n, 77);
}

TEST(median_and_extremes)
{
	struct stats s = of_1_to(9);

	CHECK(s.median == 5 && s.min == 1 && s.max == 9 && s.n == 9);
	s = of_1_to(10);
	CHECK(s.median == 5.5);
	s = of_1_to(1);
	CHECK(s.median == 1 && s.low == 1 && s.high == 1 && s.p95 == 1 && s.level == 0);
}

TEST(p95_is_the_nearest_rank)
{
	CHECK(of_1_to(100).p95 == 95);
	CHECK(of_1_to(20).p95 == 19);
	CHECK(of_1_to(19).p95 == 19);
	CHECK(of_1_to(5).p95 == 5);
}

/* Ranks and levels as in the published tables for the sign test's interval. */
TEST(intervals_are_those_of_the_tables)
{
	static const struct {
		size_t n, low;
		double level;
	} t[] = {{5, 1, 0.9375},       {6, 1, 0.96875},	     {8, 1, 0.9921875},
		 {9, 2, 0.9609375},    {10, 2, 0.978515625}, {12, 3, 0.961425781},
		 {15, 4, 0.964843750}, {20, 6, 0.958610535}, {100, 40, 0.9648}};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct stats s = of_1_to(t[i].n);

		CHECK_INT(s.low, t[i].low);
		CHECK_INT(s.high, t[i].n + 1 - t[i].low);
		CHECK(s.level > t[i].level - 0.0005 && s.level < t[i].level + 0.0005);
	}
}

TEST_MAIN(T(nothing_is_said_about_nothing), T(median_and_extremes), T(p95_is_the_nearest_rank),
	  T(intervals_are_those_of_the_tables))

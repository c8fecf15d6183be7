/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "compare/stats.h"

#include <errno.h>
#include <stdint.h>

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

TEST(few_samples_say_what_they_are_worth)
{
	struct stats s = of_1_to(5);

	CHECK(s.low == 1 && s.high == 5 && s.level > 0.937 && s.level < 0.938);
}

TEST(the_same_samples_give_the_same_interval)
{
	struct stats a = of_1_to(25), b = of_1_to(25);

	CHECK(a.low == b.low && a.high == b.high && a.level == 0.95);
	CHECK(a.low > 3 && a.low < 13 && a.high > 13 && a.high < 23);
}

/* What the interval is for: drawn from a known distribution, it holds the known median about as
 * often as it says.  A percentile bootstrap of few samples is known to hold it a little less. */
TEST(intervals_hold_the_true_median)
{
	static const size_t sizes[] = {6, 10, 21, 50};
	uint64_t x = 1234567;

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		int held = 0;

		for (int trial = 0; trial < 400; trial++) {
			struct stats s;
			double v[50];

			for (size_t i = 0; i < sizes[k]; i++) {
				x = x * 6364136223846793005u + 1442695040888963407u;
				v[i] = (double)(x >> 40) / (1 << 24);
				v[i] *= v[i]; /* not symmetric: median 0.25 */
			}
			stats_of(v, sizes[k], &s);
			held += s.low <= 0.25 && s.high >= 0.25;
		}
		CHECK(held >= 350 && held < 400);
	}
}

TEST_MAIN(T(nothing_is_said_about_nothing), T(median_and_extremes), T(p95_is_the_nearest_rank),
	  T(few_samples_say_what_they_are_worth), T(the_same_samples_give_the_same_interval),
	  T(intervals_hold_the_true_median))

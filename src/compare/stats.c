/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/stats.h"
#include "base/auto.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#define RESAMPLES 1000
#define FEW	  6

static double middle(const double *sorted, size_t n)
{
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* The middle 95 % of the medians of samples drawn from sorted.  A draw is known by how often each
 * value was taken, so that its median is found by counting. */
static void bootstrap(const double *sorted, size_t n, struct stats *out)
{
	auto_free double *medians = calloc(RESAMPLES, sizeof(*medians));
	auto_free uint32_t *taken = calloc(n, sizeof(*taken));
	uint64_t x = 88172645463325252u;

	if (!medians || !taken)
		abort();
	for (size_t i = 0; i < RESAMPLES; i++) {
		size_t seen = 0, low = n, high = n;

		memset(taken, 0, n * sizeof(*taken));
		for (size_t k = 0; k < n; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			taken[(x >> 11) % n]++;
		}
		for (size_t k = 0; k < n && high == n; k++) {
			seen += taken[k];
			if (low == n && seen >= (n + 1) / 2)
				low = k;
			if (seen >= n / 2 + 1)
				high = k;
		}
		medians[i] = (sorted[low] + sorted[high]) / 2;
	}
	qsort(medians, RESAMPLES, sizeof(*medians), by_value);
	out->low = medians[RESAMPLES * 25 / 1000];
	out->high = medians[RESAMPLES * 975 / 1000 - 1];
	out->level = 0.95;
}

int stats_of(const double *v, size_t n, struct stats *out)
{
	auto_free double *s = NULL;

	if (!n)
		return -EINVAL;
	s = malloc(n * sizeof(*s));
	if (!s)
		abort();
	memcpy(s, v, n * sizeof(*s));
	qsort(s, n, sizeof(*s), by_value);
	*out = (struct stats){
	    .n = n,
	    .min = s[0],
	    .max = s[n - 1],
	    .median = middle(s, n),
	    .low = s[0],
	    .high = s[n - 1],
	    .level = 1,
	    .p95 = s[(95 * n + 99) / 100 - 1],
	};
	if (n >= FEW) {
		bootstrap(s, n, out);
		return 0;
	}
	/* All n on one side of the true median, twice. */
	for (size_t i = 1; i < n; i++)
		out->level /= 2;
	out->level = 1 - out->level;
	return 0;
}

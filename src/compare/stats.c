/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/stats.h"
#include "base/auto.h"

#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The largest k for which the k-th value from both ends still holds the median with 95 %; at
 * least 1. */
static size_t interval_rank(size_t n, double *level)
{
	double term = 1, below; /* probability of i of n under a fair coin; of at most k - 1 */
	size_t k = 1;

	for (size_t i = 0; i < n; i++)
		term /= 2;
	below = term;
	*level = 1 - 2 * below;
	while (2 * (k + 1) <= n) {
		term *= (double)(n - k + 1) / (double)k;
		if (1 - 2 * (below + term) < 0.95)
			break;
		below += term;
		*level = 1 - 2 * below;
		k++;
	}
	return k;
}

int stats_of(const double *v, size_t n, struct stats *out)
{
	auto_free double *s = NULL;
	size_t k;

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
	    .median = n % 2 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2,
	    .p95 = s[(95 * n + 99) / 100 - 1],
	};
	k = interval_rank(n, &out->level);
	out->low = s[k - 1];
	out->high = s[n - k];
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/quantity.h"
#include "base/str.h"

#include <stddef.h>

#define EXPONENT_MAX 18

/* numerator / denominator of a suffix. */
struct scale {
	__uint128_t up, down;
};

static bool power(const char *s, struct scale *out)
{
	bool minus = *s == '-';
	unsigned int n = 0;

	s += *s == '-' || *s == '+';
	if (!*s)
		return false;
	for (; *s >= '0' && *s <= '9' && n <= EXPONENT_MAX; s++)
		n = n * 10 + (unsigned int)(*s - '0');
	if (*s || n > EXPONENT_MAX)
		return false;
	for (*out = (struct scale){1, 1}; n; n--)
		*(minus ? &out->down : &out->up) *= 10;
	return true;
}

static bool suffix(const char *s, struct scale *out)
{
	static const char *const binary[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"},
				 *const decimal[] = {"n", "u", "m", "",	 "k",
						     "M", "G", "T", "P", "E"};

	*out = (struct scale){1, 1};
	for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++)
		if (streq(s, binary[i])) {
			out->up = (__uint128_t)1 << (10 * i);
			return true;
		}
	for (size_t i = 0; i < sizeof(decimal) / sizeof(decimal[0]); i++)
		if (streq(s, decimal[i])) {
			for (size_t k = i; k > 3; k--)
				out->up *= 1000;
			for (size_t k = i; k < 3; k++)
				out->down *= 1000;
			return true;
		}
	return (*s == 'e' || *s == 'E') && power(s + 1, out);
}

bool quantity_parse(const char *s, int64_t *milli)
{
	__uint128_t v = 0, down = 1;
	struct scale x;
	bool point = false, any = false;

	s += *s == '+';
	for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		any = true;
		/* What is beyond the limit is so without the digits that follow. */
		if (v > INT64_MAX || down > INT64_MAX / 10)
			return false;
		v = v * 10 + (unsigned int)(*s - '0');
		down *= point ? 10 : 1;
	}
	if (!any || !suffix(s, &x) || v > (__uint128_t)INT64_MAX)
		return false;
	down *= x.down;
	/* v < 2^63 and up < 2^61: the product with 1000 is looked at in two steps. */
	v *= x.up;
	if (v / down > INT64_MAX / 1000)
		return false;
	v = (v / down) * 1000 + ((v % down) * 1000 + down - 1) / down;
	if (v > INT64_MAX)
		return false;
	*milli = (int64_t)v;
	return true;
}

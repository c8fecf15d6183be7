/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tarnum.h"

#include <errno.h>
#include <stdbool.h>

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\0';
}

static int base256(const uint8_t *p, size_t len, int64_t *out)
{
	/* The sign is the second bit; everything before the last eight bytes must repeat it. */
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = i ? p[i] : (uint8_t)((p[0] & 0x7f) | (negative ? 0x80 : 0));

		if ((v >> 55) != (negative ? 0x1ff : 0))
			return -ERANGE;
		v = v << 8 | c;
	}
	*out = (int64_t)v;
	return 0;
}

int tarnum_field(const uint8_t *p, size_t len, int64_t *out)
{
	const uint8_t *end = p + len;
	uint64_t v = 0;

	if (len && (p[0] & 0x80))
		return base256(p, len, out);
	while (p < end && blank(*p))
		p++;
	for (; p < end && *p >= '0' && *p <= '7'; p++) {
		if (v >> 60)
			return -ERANGE;
		v = v << 3 | (uint64_t)(*p - '0');
	}
	/* Behind a NUL anything goes, as other programs see it; behind a space only more of them.
	 */
	for (; p < end && *p; p++)
		if (*p != ' ')
			return -EBADMSG;
	*out = (int64_t)v;
	return 0;
}

int tarnum_decimal(const char *p, size_t len, int64_t *out)
{
	const char *end = p + len;
	bool negative = len && *p == '-';
	int64_t v = 0;

	p += negative;
	if (p == end)
		return -EBADMSG;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return -EBADMSG;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
			return -ERANGE;
	}
	/* Counted downwards, where there is one more. */
	if (!negative && v == INT64_MIN)
		return -ERANGE;
	*out = negative ? v : -v;
	return 0;
}

int tarnum_time(const char *p, size_t len, int64_t *sec, uint32_t *nsec)
{
	size_t whole = 0;
	uint32_t frac = 0;
	bool negative = len && *p == '-';
	int r;

	while (whole < len && p[whole] != '.')
		whole++;
	r = tarnum_decimal(p, whole, sec);
	if (r < 0)
		return r;
	for (size_t i = 0, at = whole + 1; at < len || i < 9; i++, at++) {
		char c = at < len ? p[at] : '0';

		if (c < '0' || c > '9')
			return -EBADMSG;
		if (i < 9)
			frac = frac * 10 + (uint32_t)(c - '0');
	}
	if (negative && frac) {
		if (*sec == INT64_MIN)
			return -ERANGE;
		--*sec;
		frac = 1000000000 - frac;
	}
	*nsec = frac;
	return 0;
}

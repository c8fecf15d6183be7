/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/net_dev.h"

#include <string.h>

#define COLUMNS 12 /* eight of receiving, four of sending */

static bool number(const char **p, const char *end, uint64_t *out)
{
	uint64_t v = 0;
	bool any = false;

	while (*p < end && **p == ' ')
		++*p;
	for (; *p < end && **p >= '0' && **p <= '9'; ++*p, any = true)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(**p - '0'), &v))
			return false;
	*out = v;
	return any;
}

static void add_line(const char *p, const char *end, struct net_dev *out, bool *found)
{
	uint64_t v[COLUMNS];

	for (int i = 0; i < COLUMNS; i++)
		if (!number(&p, end, &v[i]))
			return;
	out->rx_bytes += v[0];
	out->rx_packets += v[1];
	out->rx_errors += v[2];
	out->rx_dropped += v[3];
	out->tx_bytes += v[8];
	out->tx_packets += v[9];
	out->tx_errors += v[10];
	out->tx_dropped += v[11];
	*found = true;
}

static bool is(const char *name, size_t len, const char *want)
{
	return strlen(want) == len && memcmp(name, want, len) == 0;
}

bool net_dev_sum(const char *text, size_t len, const char *name, struct net_dev *out)
{
	const char *p = text, *end = text + len;
	bool found = false;

	*out = (struct net_dev){0};
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end, *colon;

		while (p < stop && *p == ' ')
			p++;
		/* The headings have a bar and no colon. */
		colon = memchr(p, ':', (size_t)(stop - p));
		if (colon &&
		    (name ? is(p, (size_t)(colon - p), name) : !is(p, (size_t)(colon - p), "lo")))
			add_line(colon + 1, stop, out, &found);
		p = stop + 1;
	}
	return found;
}

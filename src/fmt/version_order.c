/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/version_order.h"

#include <ctype.h>
#include <string.h>

struct part {
	const char *p, *end;
};

/* "~" before the end, the end before letters, letters before the rest. */
static int weight(const struct part *v)
{
	unsigned char c = v->p < v->end ? (unsigned char)*v->p : '\0';

	if (c == '~')
		return -1;
	if (!c || isdigit(c))
		return 0;
	return isalpha(c) ? c : c + 256;
}

static int number(struct part *a, struct part *b)
{
	int first = 0;

	while (a->p < a->end && *a->p == '0')
		a->p++;
	while (b->p < b->end && *b->p == '0')
		b->p++;
	/* The longer number is larger; of equal lengths the first difference decides. */
	for (;;) {
		int da = a->p < a->end && isdigit((unsigned char)*a->p);
		int db = b->p < b->end && isdigit((unsigned char)*b->p);

		if (!da || !db)
			return da != db ? da - db : first;
		if (!first)
			first = *a->p - *b->p;
		a->p++;
		b->p++;
	}
}

static int part_order(struct part a, struct part b)
{
	while (a.p < a.end || b.p < b.end) {
		int c;

		while (weight(&a) || weight(&b)) {
			c = weight(&a) - weight(&b);
			if (c)
				return c;
			a.p++;
			b.p++;
		}
		c = number(&a, &b);
		if (c)
			return c;
	}
	return 0;
}

/* [epoch:]upstream[-revision] */
static void split(const char *s, struct part *epoch, struct part *upstream, struct part *revision)
{
	const char *colon = strchr(s, ':'), *end = s + strlen(s), *dash;

	*epoch = (struct part){s, colon ? colon : s};
	s = colon ? colon + 1 : s;
	dash = strrchr(s, '-');
	*upstream = (struct part){s, dash ? dash : end};
	*revision = (struct part){dash ? dash + 1 : end, end};
}

int version_order(const char *a, const char *b)
{
	struct part x[3], y[3];
	int c = 0;

	split(a, &x[0], &x[1], &x[2]);
	split(b, &y[0], &y[1], &y[2]);
	for (int i = 0; i < 3 && c == 0; i++)
		c = part_order(x[i], y[i]);
	return c;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/cpulist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cpulist_parse(const char *list, unsigned char *mask, size_t bytes)
{
	memset(mask, 0, bytes);
	while (*list) {
		char *end;
		unsigned long from, to;

		if (*list < '0' || *list > '9')
			return -EINVAL;
		from = to = strtoul(list, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return -EINVAL;
			to = strtoul(end + 1, &end, 10);
		}
		if (from > to || to >= bytes * 8UL || (*end && *end != ','))
			return -EINVAL;
		for (; from <= to; from++)
			mask[from / 8] |= (unsigned char)(1U << from % 8);
		list = *end ? end + 1 : end;
	}
	return 0;
}

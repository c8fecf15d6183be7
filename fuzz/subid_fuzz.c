/* SPDX-License-Identifier: Apache-2.0 */
/* subid - no range reaches past the last id, and no more are stored than there is room. */
#include "fmt/subid.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);
	struct subid v[3];
	size_t n;

	if (!s)
		abort();
	memcpy(s, data, size);
	s[size] = '\0';
	n = subid_ranges(s, "user", 1000, v, 3);
	if (n > 3)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!v[i].first || !v[i].count ||
		    (uint64_t)v[i].first + v[i].count > UINT32_MAX)
			abort();
	free(s);
	return 0;
}

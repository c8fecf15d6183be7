/* SPDX-License-Identifier: Apache-2.0 */
/* version_order - an order is an order: what is older one way is newer the other. */
#include "fmt/version_order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *a = calloc(1, size + 2), *b;
	int x, y;

	if (!a)
		abort();
	memcpy(a, data, size);
	b = strchr(a, '\n');
	if (b) {
		*b++ = '\0';
		x = version_order(a, b);
		y = version_order(b, a);
		if ((x > 0) != (y < 0) || (x == 0) != (y == 0) || version_order(a, a) != 0)
			abort();
	}
	free(a);
	return 0;
}

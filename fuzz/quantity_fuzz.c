/* SPDX-License-Identifier: Apache-2.0 */
/* quantity - never negative. */
#include "fmt/quantity.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[64];
	int64_t v = 0;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (quantity_parse(text, &v) && v < 0)
		abort();
	return 0;
}

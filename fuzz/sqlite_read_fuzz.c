/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_read - no database makes it read outside of itself or run for ever. */
#include "fmt/sqlite_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(void *arg, const void *p, size_t len, struct err *e)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += ((const uint8_t *)p)[i];
	*(volatile unsigned int *)arg = sum;
	return len > SQLITE_READ_ROW ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	unsigned int sum = 0;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	sqlite_read_column(copy, size, "Packages", 1, look, &sum, NULL);
	free(copy);
	return 0;
}

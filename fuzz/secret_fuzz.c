/* SPDX-License-Identifier: Apache-2.0 */
/* secret - every finding lies inside of the bytes, and there are few. */
#include "fmt/secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	size_t size, n;
};

static void found(void *arg, const char *what, size_t off)
{
	struct seen *s = arg;

	if (!*what || off >= s->size || ++s->n > 64)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = {.size = size};
	char *text = calloc(1, size + 1);
	uint8_t *exact = malloc(size ? size : 1);

	if (!text || !exact)
		abort();
	memcpy(text, data, size);
	memcpy(exact, data, size);
	secret_scan(exact, size, found, &s);
	secret_path(text);
	secret_variable(text);
	secret_in_url(text);
	free(exact);
	free(text);
	return 0;
}

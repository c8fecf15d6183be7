/* SPDX-License-Identifier: Apache-2.0 */
/* digest - any string is either refused or is exactly what digest_print() makes. */
#include "fmt/digest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		abort();
	memcpy(s, data, size);
	s[size] = '\0';
	if (digest_valid(s) && (strlen(s) != DIGEST_LEN || strpbrk(digest_hex(s), "/. ")))
		abort();
	free(s);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* acl_text - any text is refused or gives an attribute as the kernel orders it. */
#include "fmt/acl_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t acl[ACL_TEXT_MAX];
	int n = acl_text_parse((const char *)data, size, acl), last = 0;

	if (n <= 0)
		return 0;
	if (n < 12 || n > ACL_TEXT_MAX || (n - 4) % 8 || acl[0] != 2)
		abort();
	for (int i = 4; i < n; i += 8) {
		if (acl[i] < last || acl[i + 1] || acl[i + 2] > 7 || acl[i + 3])
			abort();
		last = acl[i];
	}
	return 0;
}

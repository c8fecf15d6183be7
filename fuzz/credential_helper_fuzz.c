/* SPDX-License-Identifier: Apache-2.0 */
/* credential_helper - user and secret come together; a complaint is one harmless line. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/credential_helper.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *text = arena_dupn(&a, (const char *)data, size);
	struct credential c = {0};

	if (credential_helper_parse(text, size, true, &a, &c, NULL) == 0 && !c.user != !c.secret)
		abort();
	for (const char *p = credential_helper_complaint(text, size, &a); *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			abort();
	return 0;
}

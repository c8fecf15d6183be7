/* SPDX-License-Identifier: Apache-2.0 */
/* www_authenticate - a challenge that was chosen has a realm, and nothing in it breaks a header
 * line. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/www_authenticate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clean(const char *s)
{
	for (; s && *s; s++)
		if ((unsigned char)*s < 0x20 && *s != '\t')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *text = arena_dupn(&a, (const char *)data, size);
	struct www_authenticate c;
	struct err e = ERR_INIT;

	if (www_authenticate_parse(text, &a, &c, &e) < 0) {
		if (e.kind == ERR_NONE)
			abort();
		return 0;
	}
	if (c.scheme != WWW_NONE && !c.realm)
		abort();
	clean(c.realm);
	clean(c.service);
	clean(c.scope);
	return 0;
}

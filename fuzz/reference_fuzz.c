/* SPDX-License-Identifier: Apache-2.0 */
/* reference - what was accepted has a canonical form that means the same, and so has its short
 * form. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/reference.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *text = arena_dupn(&a, (const char *)data, size), *canonical;
	struct reference r, again;
	struct err e = ERR_INIT;

	if (reference_parse(text, &a, &r, &e) < 0) {
		if (e.kind != ERR_USAGE)
			abort();
		return 0;
	}
	canonical = reference_canonical(&a, &r);
	if (reference_parse(canonical, &a, &again, &e) < 0 ||
	    strcmp(reference_canonical(&a, &again), canonical))
		abort();
	if (reference_parse(reference_familiar(&a, canonical), &a, &again, &e) < 0 ||
	    strcmp(reference_canonical(&a, &again), canonical))
		abort();
	/* The path becomes part of URLs. */
	if (strstr(r.path, "..") || strstr(r.path, "//") || *r.path == '/' ||
	    reference_repository(canonical) >= strlen(canonical))
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* toml - every item has a table and, but for the beginning of one, a key; strings are no longer
 * than the file; a refusal says why. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/toml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(const struct toml_item *i, void *arg, struct err *e)
{
	const size_t *size = arg;

	if (!i->table || (i->type == TOML_TABLE) != !i->key ||
	    (i->type == TOML_STRING && (!i->string || strlen(i->string) > *size)))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;

	if (toml_read((const char *)data, size, "x", &a, look, &size, &e) < 0 && e.kind == ERR_NONE)
		abort();
	return 0;
}

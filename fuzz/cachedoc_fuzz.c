/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken is written and read again as the same. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/cachedoc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf one = BUF_INIT(16 << 20), two = BUF_INIT(16 << 20);
	struct err e = ERR_INIT;
	struct cachedoc d;

	if (cachedoc_parse((const char *)data, size, &a, &d, &e) < 0)
		return 0;
	cachedoc_write(&d, &one);
	if (cachedoc_parse(one.p, one.len, &a, &d, &e) < 0)
		abort();
	cachedoc_write(&d, &two);
	if (one.len != two.len || memcmp(one.p, two.p, one.len) != 0)
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* review - what was read can be written and reads the same again. */
#include "base/buf.h"
#include "spec/review.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf one = BUF_INIT(1 << 24), two = BUF_INIT(1 << 24);
	struct review r, again;

	if (review_parse((const char *)data, size, &a, &r, NULL) < 0)
		return 0;
	review_print(&r, &one);
	if (review_parse(one.p, one.len, &a, &again, NULL) < 0)
		abort();
	review_print(&again, &two);
	if (one.len != two.len || memcmp(one.p, two.p, one.len) != 0)
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* plan - a config.json of a foreign bundle, through the largest jbind tables there are: what was
 * read is written and read again to the same text. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "spec/plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf one = BUF_INIT(1 << 24), two = BUF_INIT(1 << 24);
	struct plan *p = NULL, *again = NULL;
	struct err e = ERR_INIT;

	if (plan_parse((const char *)data, size, "input", &a, &p, &e) < 0) {
		if (e.kind == ERR_NONE)
			abort();
		return 0;
	}
	plan_write(p, &one);
	if (one.failed || plan_parse(one.p, one.len, "written", &a, &again, &e) < 0)
		abort();
	plan_write(again, &two);
	if (strcmp(one.p, two.p))
		abort();
	return 0;
}

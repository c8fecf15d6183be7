/* SPDX-License-Identifier: Apache-2.0 */
/* journal_export - entries are views inside of the text, and each takes some of it. */
#include "base/buf.h"
#include "fmt/journal_export.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf attrs = BUF_INIT(1 << 20);
	union {
		const uint8_t *in;
		const char *out;
	} u = {.in = data};
	const char *p = u.out, *end = p + size;
	struct journal_entry j;
	size_t used;

	while (journal_export_next(p, (size_t)(end - p), &j, &attrs, &used, NULL) == 1) {
		if (!used || used > (size_t)(end - p) ||
		    (j.message && (j.message < p || j.message + j.message_len > p + used)))
			abort();
		p += used;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* logline - the view of the time lies inside the line. */
#include "base/buf.h"
#include "fmt/logline.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf text = BUF_INIT(64 << 10);
	struct logline l;
	union {
		const uint8_t *in;
		const char *out;
	} u = {.in = data};

	if (logline_parse(u.out, size, &l, &text) &&
	    (l.time < u.out || l.time + l.time_len > u.out + size))
		abort();
	return 0;
}

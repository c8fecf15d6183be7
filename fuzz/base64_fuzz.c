/* SPDX-License-Identifier: Apache-2.0 */
/* base64 - any bytes are printed so that they are read again; any text is refused or read. */
#include "base/arena.h"
#include "base/buf.h"
#include "fmt/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(4 << 20), text = BUF_INIT(1 << 20);
	const char *back;

	buf_add(&text, data, size);
	if (text.failed)
		return 0;
	base64_decode(text.p, &a);
	base64_print(&out, text.p, text.len);
	back = base64_decode(out.p, &a);
	/* A NUL cannot be in a string. */
	if (memchr(text.p, 0, text.len) ? back != NULL : !back || strcmp(back, text.p) != 0)
		abort();
	return 0;
}

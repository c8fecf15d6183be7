/* SPDX-License-Identifier: Apache-2.0 */
/* http_chunk - the same body comes out, or the same refusal, however the bytes are cut. */
#include "base/err.h"
#include "fmt/http_chunk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	int failed;
	size_t used, len;
	uint32_t sum;
};

static struct result take(const char *p, size_t size, size_t step, size_t room)
{
	struct http_chunk c = HTTP_CHUNK_INIT;
	struct result r = {0};
	char out[64];

	while (!http_chunk_over(&c) && r.used < size) {
		size_t used = 0, piece = size - r.used < step ? size - r.used : step;
		ssize_t n = http_chunk_take(&c, p + r.used, piece, &used, out, room, NULL);

		if (n < 0) {
			r.failed = 1;
			r.used = 0; /* how far it looked is its own affair */
			return r;
		}
		if (!used || used > piece || (size_t)n > room)
			abort();
		for (ssize_t i = 0; i < n; i++)
			r.sum = r.sum * 31 + (unsigned char)out[i];
		r.used += used;
		r.len += (size_t)n;
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct result a = take(p, size, size ? size : 1, 64), b = take(p, size, 1, 64),
		      c = take(p, size, 7, 3);

	if (a.failed != b.failed || a.failed != c.failed)
		abort();
	if (!a.failed && (a.used != b.used || a.used != c.used || a.len != b.len ||
			  a.len != c.len || a.sum != b.sum || a.sum != c.sum))
		abort();
	return 0;
}

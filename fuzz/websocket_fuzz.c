/* SPDX-License-Identifier: Apache-2.0 */
/* websocket - the same bytes and control frames come out, or the same refusal, however it is cut.
 */
#include "fmt/websocket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	int code;
	size_t used, len;
	uint32_t sum, controls;
};

static void add(uint32_t *sum, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*sum = *sum * 31 + p[i];
}

static struct result take(const uint8_t *p, size_t size, size_t step, size_t room)
{
	struct websocket w = WEBSOCKET_INIT;
	struct result r = {0};
	unsigned char out[64];
	int op = 0;

	while (op != WEBSOCKET_CLOSE && r.used < size) {
		size_t used, n, piece = size - r.used < step ? size - r.used : step;

		op = websocket_take(&w, p + r.used, piece, &used, out, room, &n, NULL);
		if (used > piece || n > room || w.control_len > WEBSOCKET_CONTROL_MAX)
			abort();
		if (op < 0) {
			/* How far it looked is its own affair. */
			return (struct result){.code = w.code};
		}
		if (!used)
			abort();
		if (op) {
			r.controls = r.controls * 31 + (uint32_t)op;
			add(&r.controls, w.control, w.control_len);
		}
		add(&r.sum, out, n);
		r.used += used;
		r.len += n;
	}
	return r;
}

static void compare(const struct result *a, const struct result *b)
{
	if (a->code != b->code || a->used != b->used || a->len != b->len || a->sum != b->sum ||
	    a->controls != b->controls)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result a = take(data, size, size ? size : 1, 64), b = take(data, size, 1, 64),
		      c = take(data, size, 7, 3);

	compare(&a, &b);
	compare(&a, &c);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any body is refused or read; what is read can be written and read again. */
#include "api/apibody.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/request.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(4 << 20);
	struct request q, q2 = {0};
	struct apibody_exec x;
	struct apibody_start s;
	struct err e = ERR_INIT;

	buf_add(&text, data, size);
	if (text.failed)
		return 0;
	if (apibody_create(text.p, text.len, &a, &q, &e) == 0) {
		if (!q.image || !*q.image)
			abort();
		jbind_write(&request_table, &q, &again);
		if (jbind_parse(&request_table, again.p, again.len, &q2, &a, "request", NULL) < 0)
			abort();
	} else if (!e.len || !e.kind) {
		abort();
	}
	if (apibody_exec(text.p, text.len, &a, &x, NULL) == 0 && (x.container || !x.args.n))
		abort();
	if (apibody_start(text.p, text.len, &a, &s, NULL) == 0 && s.rows > 65535)
		abort();
	return 0;
}

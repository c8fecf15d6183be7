/* SPDX-License-Identifier: Apache-2.0 */
/* json - what was accepted reads back as the same text once it was written. */
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(const char *key, struct json *value, void *arg)
{
	auto_buf struct buf b = BUF_INIT(1 << 22);
	auto_json struct json *back = NULL;

	json_quote(&b, key);
	if (json_parse(b.p, b.len, "key", &back, NULL) < 0 || strcmp(json_string(back), key))
		abort();
	for (size_t i = 0; i <= json_length(value); i++)
		json_string(json_at(value, i));
	return json_each(value, look, arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json struct json *j = NULL, *again = NULL;
	auto_buf struct buf a = BUF_INIT(1 << 24), b = BUF_INIT(1 << 24);
	struct err e = ERR_INIT;

	if (json_parse((const char *)data, size, "input", &j, &e) < 0) {
		if (e.kind == ERR_NONE || j)
			abort();
		return 0;
	}
	json_each(j, look, NULL);
	json_dump(j, &a);
	if (json_parse(a.p, a.len, "dump", &again, &e) < 0)
		abort();
	json_dump(again, &b);
	if (strcmp(a.p, b.p))
		abort();
	return 0;
}

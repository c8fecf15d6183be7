/* SPDX-License-Identifier: Apache-2.0 */
/* yaml - what comes out is JSON, and stays so when it is written and read again. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"
#include "fmt/yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs out = {0}, again = {0};
	union {
		const uint8_t *in;
		const char *out;
	} u = {.in = data};

	if (yaml_to_json(u.out, size, "fuzz", &a, &out, NULL) < 0)
		return 0;
	for (size_t i = 0; i < out.n; i++) {
		auto_buf struct buf b = BUF_INIT(64 << 20);
		auto_json struct json *j = NULL;

		/* Keys given twice are the JSON reader's to refuse. */
		if (json_parse(out.v[i], strlen(out.v[i]), "fuzz", &j, NULL) < 0 ||
		    !json_is_object(j) || !json_length(j))
			continue;
		if (yaml_from_json(out.v[i], strlen(out.v[i]), &b, NULL) < 0)
			continue;
		if (b.len <= YAML_TEXT_MAX / 2 &&
		    yaml_to_json(b.p, b.len, "again", &a, &again, NULL) == -EBADMSG)
			abort();
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp - a time that is taken is printed so that it is taken as the same time. */
#include "base/buf.h"
#include "fmt/timestamp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);
	auto_buf struct buf out = BUF_INIT(256);
	int64_t ns, again;

	if (!s)
		abort();
	memcpy(s, data, size);
	s[size] = '\0';
	/* An offset can reach back before 1970, which is never printed by us. */
	if (timestamp_parse(s, &ns) && ns >= 0) {
		timestamp_print(ns, &out);
		if (!timestamp_parse(out.p, &again) || again != ns)
			abort();
	}
	free(s);
	return 0;
}

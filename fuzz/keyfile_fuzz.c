/* SPDX-License-Identifier: Apache-2.0 */
/* Every entry has a key without blanks, and lines made of the entries give the same entries. */
#include "base/buf.h"
#include "fmt/keyfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 20), lines = BUF_INIT(2 << 20);
	struct strs l = {0}, again = {0};

	buf_add(&text, data, size);
	if (text.failed || keyfile_parse(text.p, text.len, "file", &a, &l, NULL) < 0)
		return 0;
	buf_puts(&lines, "#\n"); /* a key may begin with a byte order mark, but not a file */
	for (size_t i = 0; i < l.n; i++) {
		size_t n = strcspn(l.v[i], "=");

		if (!n || strcspn(l.v[i], " \t\n") < n)
			abort();
		buf_printf(&lines, "%s\r\n", l.v[i]);
	}
	if (keyfile_parse(lines.p, lines.len, "file", &a, &again, NULL) < 0 || again.n != l.n)
		abort();
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.v[i], again.v[i]) != 0)
			abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/base64.h"
#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>
#include <string.h>

static const char table[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c)
{
	const char *p = c ? strchr(table, c) : NULL;

	return p ? (int)(p - table) : -1;
}

const char *base64_bytes(const char *s, struct arena *a, size_t *out_len)
{
	size_t len = strlen(s), n = 0, pad = 0;
	char *out = arena_alloc(a, len / 4 * 3 + 1);

	if (len % 4)
		return NULL;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = i + k >= len - pad ? 0 : digit(s[i + k]);

			if (d < 0)
				return NULL;
			v = v << 6 | (uint32_t)d;
		}
		for (int k = 16; k >= 0; k -= 8)
			out[n++] = (char)(v >> k & 0xff);
	}
	n -= pad;
	out[n] = '\0';
	*out_len = n;
	return out;
}

const char *base64_decode(const char *s, struct arena *a)
{
	size_t n = 0;
	const char *out = base64_bytes(s, a, &n);

	return out && strlen(out) == n ? out : NULL;
}

void base64_print(struct buf *out, const void *data, size_t n)
{
	const unsigned char *s = data;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < n ? s[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_printf(out, "%c", i + k > n ? '=' : table[v >> (18 - 6 * k) & 63]);
	}
}

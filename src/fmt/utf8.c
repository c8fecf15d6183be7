/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/utf8.h"
#include "base/buf.h"

#include <stdbool.h>
#include <string.h>

size_t utf8_sequence(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (!len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len < n)
		return 0;
	/* Overlong forms, surrogates and what is above U+10FFFF show in the second byte. */
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

static void escape(struct buf *out, unsigned char c)
{
	static const char letters[] = {
	    ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};

	if (c < sizeof(letters) && letters[c])
		buf_printf(out, "\\%c", letters[c]);
	else
		buf_printf(out, "\\u%04x", c);
}

void utf8_json(struct buf *out, const char *s, size_t len)
{
	const char *from = s, *end = s + len;

	while (s < end) {
		unsigned char c = (unsigned char)*s;
		size_t n = c >= 0x20 && c != '"' && c != '\\' && c < 0x7f
			       ? 1
			       : utf8_sequence(s, (size_t)(end - s));
		bool plain = n > 1 || (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f);

		if (plain) {
			s += n;
			continue;
		}
		buf_add(out, from, (size_t)(s - from));
		if (n)
			escape(out, c);
		else
			buf_puts(out, "\xef\xbf\xbd");
		from = ++s;
	}
	buf_add(out, from, (size_t)(end - from));
}

void utf8_visible(struct buf *out, const char *s)
{
	size_t len = strlen(s);

	while (len) {
		unsigned char c = (unsigned char)*s;
		size_t n = utf8_sequence(s, len);
		/* C1 controls are U+0080 .. U+009F, some terminals obey them. */
		bool control =
		    c < 0x20 || c == 0x7f || (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);

		if (n && !control)
			buf_add(out, s, n);
		else
			for (size_t i = 0; i < (n ? n : 1); i++)
				buf_printf(out, "\\x%02x", (unsigned char)s[i]);
		s += n ? n : 1;
		len -= n ? n : 1;
	}
}

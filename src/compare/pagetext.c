/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pagetext.h"
#include "base/buf.h"
#include "fmt/utf8.h"

void pagetext_escape(struct buf *out, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		default:
			buf_add(out, s, 1);
		}
}

void pagetext_put(struct buf *out, const char *s)
{
	auto_buf struct buf clean = BUF_INIT(1 << 20);

	utf8_visible(&clean, s);
	pagetext_escape(out, clean.len ? clean.p : "");
}

void pagetext_element(struct buf *out, const char *name, const char *s)
{
	buf_printf(out, "<%s>", name);
	pagetext_put(out, s);
	buf_printf(out, "</%s>\n", name);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - any bytes become the inside of a JSON string that reads back as the same text, with U+FFFD
 * for what was none: from a log line always, through json_parse() unless there is a NUL in it,
 * which that refuses, also escaped, as its header says (C strings end there, and readers would
 * disagree). And one line for a terminal without anything that it would obey. */
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"
#include "fmt/logline.h"
#include "fmt/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1u << 20)

/* What must come back. */
static void expected(const char *s, size_t len, struct buf *out)
{
	while (len) {
		size_t n = utf8_sequence(s, len);

		if (n)
			buf_add(out, s, n);
		else
			buf_puts(out, "\xef\xbf\xbd");
		s += n ? n : 1;
		len -= n ? n : 1;
	}
}

static void check_json(const char *s, size_t len)
{
	auto_buf struct buf text = BUF_INIT(ROOM), want = BUF_INIT(ROOM);
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;
	const char *have;
	bool nul = memchr(s, 0, len) != NULL;

	buf_puts(&text, "[\"");
	utf8_json(&text, s, len);
	buf_puts(&text, "\"]");
	expected(s, len, &want);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			abort();
	if ((json_parse(text.p, text.len, "text", &j, &e) < 0) != nul)
		abort();
	have = nul ? NULL : json_string(json_at(j, 0));
	if (!nul && (!have || strlen(have) != want.len || memcmp(have, want.p, want.len) != 0))
		abort();
}

static void check_log(const char *s, size_t len)
{
	auto_buf struct buf line = BUF_INIT(ROOM), want = BUF_INIT(ROOM), have = BUF_INIT(ROOM);
	struct logline l;

	buf_puts(&line, "{\"log\":\"");
	utf8_json(&line, s, len);
	buf_puts(&line, "\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:05.000000006Z\"}");
	expected(s, len, &want);
	if (!logline_parse(line.p, line.len, &l, &have) || !l.err || have.len != want.len ||
	    memcmp(have.p, want.p, want.len) != 0)
		abort();
}

static void check_visible(const char *s, size_t len)
{
	auto_buf struct buf text = BUF_INIT(ROOM), line = BUF_INIT(ROOM);
	size_t n;

	buf_add(&text, s, len);
	utf8_visible(&line, text.p); /* up to the first NUL */
	for (size_t i = 0; i < line.len; i += n) {
		unsigned char c = (unsigned char)line.p[i];

		n = utf8_sequence(line.p + i, line.len - i);
		if (!n || c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)line.p[i + 1] < 0xa0))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = size ? (const char *)data : "";

	if (size > ROOM / 8)
		return 0;
	check_json(s, size);
	check_log(s, size);
	check_visible(s, size);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of its own and not fmt/json.h, because logs have millions of lines and one shape.  It
 * takes any order of the three members, and "attrs", an object of strings, and nothing else.
 */
#include "fmt/logline.h"
#include "base/buf.h"
#include "fmt/timestamp.h"

#include <string.h>

struct in {
	const char *p, *end;
};

static bool skip(struct in *in, char c)
{
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

static int hex4(struct in *in)
{
	int v = 0;

	if (in->end - in->p < 4)
		return -1;
	for (int i = 0; i < 4; i++, in->p++) {
		char c = *in->p;
		int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

		if (d < 0 || d > 15)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

static void put_utf8(struct buf *out, unsigned int c)
{
	char b[4];
	size_t n = 0;

	if (c < 0x80) {
		b[n++] = (char)c;
	} else if (c < 0x800) {
		b[n++] = (char)(0xc0 | c >> 6);
		b[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		b[n++] = (char)(0xe0 | c >> 12);
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		b[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		b[n++] = (char)(0xf0 | c >> 18);
		b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		b[n++] = (char)(0x80 | (c & 0x3f));
	}
	buf_add(out, b, n);
}

static bool escape(struct in *in, struct buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int c, low;

	if (in->p == in->end)
		return false;
	at = *in->p ? strchr(from, *in->p) : NULL;
	if (at) {
		in->p++;
		buf_add(out, &to[at - from], 1);
		return true;
	}
	if (!skip(in, 'u') || (c = hex4(in)) < 0)
		return false;
	/* Two halves of a pair, as other writers of this format make them. */
	if (c >= 0xd800 && c < 0xdc00) {
		if (!skip(in, '\\') || !skip(in, 'u') || (low = hex4(in)) < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	put_utf8(out, (unsigned int)c);
	return true;
}

/* A JSON string; decoded into out when that is given, else *view (without escapes, or refused). */
static bool string(struct in *in, struct buf *out, const char **view, size_t *len)
{
	const char *from;

	if (!skip(in, '"'))
		return false;
	from = in->p;
	while (in->p < in->end && *in->p != '"') {
		const char *run = in->p;

		while (in->p < in->end && *in->p != '"' && *in->p != '\\')
			in->p++;
		if (out)
			buf_add(out, run, (size_t)(in->p - run));
		if (in->p < in->end && *in->p == '\\') {
			in->p++;
			if (!out || !escape(in, out))
				return false;
		}
	}
	*view = from;
	*len = (size_t)(in->p - from);
	return skip(in, '"');
}

static bool is(const char *p, size_t n, const char *s)
{
	return n == strlen(s) && memcmp(p, s, n) == 0;
}

/* An object of strings; what they say is for who asks. */
static bool strings(struct in *in, const char **view, size_t *len)
{
	const char *from = in->p, *v;
	size_t n;

	if (!skip(in, '{'))
		return false;
	do {
		auto_buf struct buf key = BUF_INIT(1 << 20), value = BUF_INIT(1 << 20);

		if (!string(in, &key, &v, &n) || !skip(in, ':') || !string(in, &value, &v, &n))
			return false;
	} while (skip(in, ','));
	*view = from;
	*len = (size_t)(in->p - from) + 1;
	return skip(in, '}');
}

static bool member(struct in *in, struct logline *l, struct buf *text)
{
	const char *key, *v;
	char stamp[64];
	size_t n, len;

	if (!string(in, NULL, &key, &n) || !skip(in, ':'))
		return false;
	if (is(key, n, "log"))
		return string(in, text, &v, &len);
	if (is(key, n, "attrs"))
		return strings(in, &l->attrs, &l->attrs_len);
	if (!string(in, NULL, &v, &len))
		return false;
	if (is(key, n, "stream")) {
		l->err = is(v, len, "stderr");
		return true;
	}
	if (!is(key, n, "time") || len >= sizeof(stamp))
		return false;
	memcpy(stamp, v, len);
	stamp[len] = '\0';
	l->time = v;
	l->time_len = len;
	return timestamp_parse(stamp, &l->ns);
}

bool logline_parse(const char *p, size_t n, struct logline *out, struct buf *text)
{
	struct in in = {p, p + n};
	struct logline l = {0};

	if (!skip(&in, '{'))
		return false;
	do
		if (!member(&in, &l, text))
			return false;
	while (skip(&in, ','));
	if (!skip(&in, '}') || in.p != in.end || !l.time)
		return false;
	*out = l;
	return true;
}

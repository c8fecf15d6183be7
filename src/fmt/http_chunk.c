/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/http_chunk.h"
#include "base/err.h"

#include <string.h>

/* SIZE -> EXTENSION -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE, and after a size of 0
 * SIZE_LF -> TRAILER (at a line's beginning) -> LINE -> LINE_LF -> TRAILER ... -> LAST_LF -> OVER.
 */
enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	LINE,
	LINE_LF,
	LAST_LF,
	OVER
};

static int hex(unsigned char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static int malformed(struct err *e)
{
	return err_set(e, ERR_USAGE, "the request's body is not in well-formed chunks");
}

static int size_byte(struct http_chunk *c, unsigned char ch, struct err *e)
{
	int d = hex(ch);

	if (d >= 0) {
		if (++c->digits > 15)
			return err_set(e, ERR_LIMIT, "a chunk of the request's body is too long");
		c->left = c->left << 4 | (unsigned int)d;
		return 0;
	}
	if (!c->digits || (ch != '\r' && ch != ';' && ch != ' ' && ch != '\t'))
		return malformed(e);
	c->state = ch == '\r' ? SIZE_LF : EXTENSION;
	return 0;
}

/* Text that is passed over, to the end of its line. */
static int passed_byte(struct http_chunk *c, unsigned char ch, size_t max, int after, struct err *e)
{
	if (++c->passed > max)
		return err_set(e, ERR_LIMIT, "the request's chunks say too much about themselves");
	if (ch == '\r')
		c->state = after;
	else if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
		return malformed(e);
	return 0;
}

static int expect(struct http_chunk *c, unsigned char ch, char wanted, int next, struct err *e)
{
	if (ch != (unsigned char)wanted)
		return malformed(e);
	c->state = next;
	return 0;
}

static int one_byte(struct http_chunk *c, unsigned char ch, struct err *e)
{
	switch (c->state) {
	case SIZE:
		return size_byte(c, ch, e);
	case EXTENSION:
		return passed_byte(c, ch, HTTP_CHUNK_LINE_MAX, SIZE_LF, e);
	case SIZE_LF:
		c->passed = c->digits = 0;
		return expect(c, ch, '\n', c->left ? DATA : TRAILER, e);
	case DATA_CR:
		return expect(c, ch, '\r', DATA_LF, e);
	case DATA_LF:
		return expect(c, ch, '\n', SIZE, e);
	case TRAILER:
		if (ch == '\r')
			return expect(c, ch, '\r', LAST_LF, e);
		c->state = LINE;
		return passed_byte(c, ch, HTTP_CHUNK_TRAILER_MAX, LINE_LF, e);
	case LINE:
		return passed_byte(c, ch, HTTP_CHUNK_TRAILER_MAX, LINE_LF, e);
	case LINE_LF:
		return expect(c, ch, '\n', TRAILER, e);
	default: /* LAST_LF */
		return expect(c, ch, '\n', OVER, e);
	}
}

ssize_t http_chunk_take(struct http_chunk *c, const char *in, size_t len, size_t *used, void *out,
			size_t room, struct err *e)
{
	size_t i = 0, n = 0;

	while (i < len && c->state != OVER && (c->state != DATA || n < room)) {
		size_t piece;
		int r;

		if (c->state != DATA) {
			r = one_byte(c, (unsigned char)in[i++], e);
			if (r < 0)
				return r;
			continue;
		}
		piece = len - i < room - n ? len - i : room - n;
		piece = piece < c->left ? piece : (size_t)c->left;
		memcpy((char *)out + n, in + i, piece);
		i += piece;
		n += piece;
		c->left -= piece;
		if (!c->left)
			c->state = DATA_CR;
	}
	*used = i;
	return (ssize_t)n;
}

bool http_chunk_over(const struct http_chunk *c)
{
	return c->state == OVER;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/websocket.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha1.h"
#include "base/str.h"
#include "fmt/base64.h"
#include "fmt/http_request.h"
#include "fmt/utf8.h"

#include <endian.h>
#include <string.h>
#include <strings.h>

#define GUID	 "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */
#define KEY_TEXT 24					/* 16 bytes in base64 */
#define FIN	 0x80
#define RESERVED 0x70
#define MASKED	 0x80
#define MASK	 4

/* ---- handshake ---- */

/* NULL: not there, or twice. */
static const char *only(const struct http_request *r, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < r->nfields; i++) {
		if (strcasecmp(r->fields[i].name, name) != 0)
			continue;
		if (value)
			return NULL;
		value = r->fields[i].value;
	}
	return value;
}

int websocket_accept(const struct http_request *r, struct arena *a, const char **out, struct err *e)
{
	const char *key = only(r, "Sec-WebSocket-Key"), *version = only(r, "Sec-WebSocket-Version");
	auto_buf struct buf b = BUF_INIT(64);
	unsigned char sum[SHA1_LEN];
	size_t len = 0;
	const char *text;
	int n;

	if (r->minor < 1 || !r->upgrade || strcasecmp(r->upgrade, "websocket") != 0 ||
	    r->body != HTTP_BODY_NONE)
		return err_set(e, ERR_USAGE, "the request does not ask for a WebSocket");
	if (!version || !streq(version, "13"))
		return err_set(e, ERR_UNSUPPORTED, "WebSockets are of version 13 here");
	if (!key || strlen(key) != KEY_TEXT || !base64_bytes(key, a, &len) || len != 16)
		return err_set(e, ERR_USAGE, "Sec-WebSocket-Key is not the base64 of 16 bytes");
	text = arena_printf(a, "%s%s", key, GUID);
	sha1_of(text, strlen(text), sum);
	base64_print(&b, sum, sizeof(sum));
	n = buf_fail(&b, "Sec-WebSocket-Accept", e);
	if (n < 0)
		return n;
	*out = arena_dupn(a, b.p, b.len);
	return 0;
}

/* ---- frames ---- */

static int refuse(struct websocket *w, int code, const char *why, struct err *e)
{
	w->code = code;
	return err_set(e, code == WEBSOCKET_TOO_BIG ? ERR_LIMIT : ERR_USAGE, "WebSocket: %s", why);
}

static int op_of(const struct websocket *w)
{
	return w->head[0] & 0x0f;
}

static bool is_control(const struct websocket *w)
{
	return (op_of(w) & 8) != 0;
}

static int check_start(struct websocket *w, struct err *e)
{
	int op = op_of(w), len = w->head[1] & 0x7f;

	if (w->head[0] & RESERVED)
		return refuse(w, WEBSOCKET_PROTOCOL, "a frame of an extension", e);
	if (!(w->head[1] & MASKED))
		return refuse(w, WEBSOCKET_PROTOCOL, "a client's frame is not masked", e);
	if (op > WEBSOCKET_PONG || (op > WEBSOCKET_BINARY && op < WEBSOCKET_CLOSE))
		return refuse(w, WEBSOCKET_PROTOCOL, "a frame of an unknown kind", e);
	if (is_control(w) && (!(w->head[0] & FIN) || len > WEBSOCKET_CONTROL_MAX))
		return refuse(w, WEBSOCKET_PROTOCOL, "a control frame in pieces, or too long", e);
	if (!is_control(w) && w->in_message != (op == 0))
		return refuse(w, WEBSOCKET_PROTOCOL, "a piece of no message, or a message in one",
			      e);
	return 0;
}

/* All of the head, when its first two bytes are there. */
static size_t head_len(const struct websocket *w)
{
	int len = w->head[1] & 0x7f;

	return 2 + MASK + (len == 127 ? 8 : len == 126 ? 2 : 0);
}

static int begin_frame(struct websocket *w, struct err *e)
{
	uint64_t len = w->head[1] & 0x7f, least = 0;

	if (len == 126) {
		len = (uint64_t)w->head[2] << 8 | w->head[3];
		least = 126;
	} else if (len == 127) {
		memcpy(&len, w->head + 2, sizeof(len));
		len = be64toh(len);
		least = 65536;
	}
	if (len < least)
		return refuse(w, WEBSOCKET_PROTOCOL, "a length that is longer than need be", e);
	if (len > WEBSOCKET_FRAME_MAX)
		return refuse(w, WEBSOCKET_TOO_BIG, "a frame of more than 16 MiB", e);
	if (!is_control(w)) {
		if (op_of(w))
			w->is_text = op_of(w) == WEBSOCKET_TEXT;
		w->in_message = true;
	} else {
		w->control_len = 0;
	}
	w->left = len;
	w->at = 0;
	w->in_frame = true;
	return 0;
}

/* 1: the frame's head is whole. */
static int take_head(struct websocket *w, const unsigned char *in, size_t len, size_t *used,
		     struct err *e)
{
	int r = 0;

	while (*used < len && (w->have < 2 || w->have < head_len(w))) {
		w->head[w->have++] = in[(*used)++];
		if (w->have == 2)
			r = check_start(w, e);
		if (r < 0)
			return r;
	}
	if (w->have < 2 || w->have < head_len(w))
		return 0;
	r = begin_frame(w, e);
	return r < 0 ? r : 1;
}

static size_t unmask(struct websocket *w, const unsigned char *in, size_t len, unsigned char *out)
{
	const unsigned char *mask = w->head + w->have - MASK;
	size_t n = len < w->left ? len : (size_t)w->left;

	for (size_t i = 0; i < n; i++)
		out[i] = in[i] ^ mask[w->at++ % MASK];
	w->left -= n;
	return n;
}

/* A sequence may lie in two frames. */
static int check_text(struct websocket *w, const unsigned char *p, size_t len, struct err *e)
{
	for (size_t i = 0; i < len; i++) {
		w->text[w->ntext++] = p[i];
		if (utf8_sequence((const char *)w->text, w->ntext))
			w->ntext = 0;
		else if (w->ntext == sizeof(w->text))
			return refuse(w, WEBSOCKET_NO_UTF8, "text that is not UTF-8", e);
	}
	return 0;
}

static int end_message(struct websocket *w, struct err *e)
{
	if (!(w->head[0] & FIN))
		return 0;
	if (w->is_text && w->ntext)
		return refuse(w, WEBSOCKET_NO_UTF8, "text that is not UTF-8", e);
	w->in_message = false;
	return 0;
}

static bool is_code(unsigned int code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

static int check_close(struct websocket *w, struct err *e)
{
	size_t n;

	if (!w->control_len)
		return 0;
	if (w->control_len < 2 || !is_code((unsigned int)w->control[0] << 8 | w->control[1]))
		return refuse(w, WEBSOCKET_PROTOCOL, "closed for no known reason", e);
	for (size_t i = 2; i < w->control_len; i += n) {
		n = utf8_sequence((const char *)w->control + i, w->control_len - i);
		if (!n)
			return refuse(w, WEBSOCKET_NO_UTF8, "text that is not UTF-8", e);
	}
	return 0;
}

/* The op, when all of it is there. */
static int take_control(struct websocket *w, const unsigned char *in, size_t len, size_t *used,
			struct err *e)
{
	size_t n = unmask(w, in + *used, len - *used, w->control + w->control_len);
	int r = 0;

	*used += n;
	w->control_len += n;
	if (w->left)
		return 0;
	w->in_frame = false;
	w->have = 0;
	if (op_of(w) == WEBSOCKET_CLOSE)
		r = check_close(w, e);
	return r < 0 ? r : op_of(w);
}

int websocket_take(struct websocket *w, const void *in, size_t len, size_t *used, void *out,
		   size_t room, size_t *n, struct err *e)
{
	const unsigned char *p = in;
	unsigned char *to = out;

	*used = *n = 0;
	for (;;) {
		size_t took, some;
		int r = w->in_frame ? 1 : take_head(w, p, len, used, e);

		if (r <= 0)
			return r;
		if (is_control(w))
			return take_control(w, p, len, used, e);
		some = len - *used < room - *n ? len - *used : room - *n;
		took = unmask(w, p + *used, some, to + *n);
		r = w->is_text ? check_text(w, to + *n, took, e) : 0;
		*used += took;
		*n += took;
		if (r < 0 || w->left)
			return r;
		w->in_frame = false;
		w->have = 0;
		r = end_message(w, e);
		if (r < 0)
			return r;
	}
}

size_t websocket_head(unsigned char out[WEBSOCKET_HEAD_MAX], int op, size_t len)
{
	uint64_t n = htobe64(len);

	out[0] = (unsigned char)(FIN | op);
	out[1] = (unsigned char)(len < 126 ? len : len < 65536 ? 126 : 127);
	if (len < 126)
		return 2;
	if (len < 65536) {
		out[2] = (unsigned char)(len >> 8);
		out[3] = (unsigned char)len;
		return 4;
	}
	memcpy(out + 2, &n, sizeof(n));
	return 2 + sizeof(n);
}

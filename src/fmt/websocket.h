/* SPDX-License-Identifier: Apache-2.0 */
/*
 * websocket - the server's side of a WebSocket: the handshake, and frames of a client taken apart
 * as they come.
 *
 * Strict: client frames are masked, lengths in their shortest form, no extension, control frames
 * whole and short, text is UTF-8.  Nothing of a message is gathered, so that only a frame has a
 * greatest length.  Source: RFC 6455 (sections 4.2, 5, 7.4, 8.1).
 */
#ifndef FMT_WEBSOCKET_H
#define FMT_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct http_request;

#define WEBSOCKET_FRAME_MAX   (16u << 20) /* bytes of payload */
#define WEBSOCKET_CONTROL_MAX 125
#define WEBSOCKET_HEAD_MAX    10 /* of a frame of the server's */

enum websocket_op {
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8,
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10
};

/* Why a connection is closed. */
enum websocket_code {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_PROTOCOL = 1002,
	WEBSOCKET_NO_UTF8 = 1007,
	WEBSOCKET_TOO_BIG = 1009
};

struct websocket {
	/* Of the last control frame. */
	unsigned char control[WEBSOCKET_CONTROL_MAX];
	size_t control_len;
	int code; /* enum websocket_code for what was refused */

	/* private */
	unsigned char head[14], text[4];
	size_t have, ntext, at;
	uint64_t left;
	bool in_frame, in_message, is_text;
};
#define WEBSOCKET_INIT ((struct websocket){0})

/* What Sec-WebSocket-Accept must say.  ERR_USAGE: no handshake; ERR_UNSUPPORTED: of another version
 * than 13 (answered by 426 and Sec-WebSocket-Version). */
int websocket_accept(const struct http_request *r, struct arena *a, const char **out,
		     struct err *e);

/* Take some of in: *used says how much; *n bytes of messages, at most room, go to out.  Returns the
 * op of the control frame that ended there, behind those bytes, or 0.  ERR_USAGE, ERR_LIMIT: .code
 * says how to close; nothing may be given after that, nor after WEBSOCKET_CLOSE. */
int websocket_take(struct websocket *w, const void *in, size_t len, size_t *used, void *out,
		   size_t room, size_t *n, struct err *e);

/* The head of a whole frame of the server's.  Returns its length. */
size_t websocket_head(unsigned char out[WEBSOCKET_HEAD_MAX], int op, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/http_request.h"
#include "fmt/websocket.h"

/* The frames of RFC 6455, 5.7, that a client may send, one in another. */
static const char HELLO[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
static const char PIECES[] = "\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d"	    /* "Hel" */
			     "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" /* ping "Hello" */
			     "\x80\x82\x37\xfa\x21\x3d\x5b\x95"		    /* "lo" */
			     "\x88\x82\x00\x00\x00\x00\x03\xe8";	    /* close 1000 */

#define HEAD                                                                                       \
	"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"                     \
	"Upgrade: WebSocket\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

static int greet(const char *head, char out[40])
{
	auto_arena struct arena a = ARENA_INIT;
	struct http_request r;
	struct err e = ERR_INIT;
	const char *accept;

	if (http_request_parse(head, strlen(head), &a, &r, &e) <= 0)
		return -1; /* no request at all, which no test wants */
	if (websocket_accept(&r, &a, &accept, &e) < 0)
		return (int)e.kind;
	snprintf(out, 40, "%s", accept);
	return 0;
}

TEST(handshake)
{
	char out[40] = "";

	/* The key and the answer of section 1.3. */
	CHECK_INT(greet(HEAD KEY V13 "\r\n", out), 0);
	CHECK_STR(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	CHECK_INT(greet(HEAD KEY "\r\n", out), ERR_UNSUPPORTED);
	CHECK_INT(greet(HEAD KEY "Sec-WebSocket-Version: 8\r\n\r\n", out), ERR_UNSUPPORTED);
	CHECK_INT(greet(HEAD V13 "\r\n", out), ERR_USAGE);
	CHECK_INT(greet(HEAD KEY KEY V13 "\r\n", out), ERR_USAGE);
	CHECK_INT(greet(HEAD V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n", out), ERR_USAGE);
	CHECK_INT(greet(HEAD V13 "Sec-WebSocket-Key: ************************\r\n\r\n", out),
		  ERR_USAGE);
	CHECK_INT(greet(HEAD KEY V13 "Content-Length: 3\r\n\r\n", out), ERR_USAGE);
	CHECK_INT(greet("GET / HTTP/1.1\r\nHost: x\r\n" KEY V13 "\r\n", out), ERR_USAGE);
	CHECK_INT(
	    greet("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" KEY V13
		  "\r\n",
		  out),
	    ERR_USAGE);
}

TEST(the_same_however_it_comes)
{
	for (size_t step = 1; step < sizeof(PIECES); step++)
		for (size_t room = 1; room < 8; room++) {
			struct websocket w = WEBSOCKET_INIT;
			char out[16] = "";
			size_t at = 0, len = 0, pings = 0, used, n;
			int op = 0;

			while (op != WEBSOCKET_CLOSE && at < sizeof(PIECES) - 1) {
				size_t left = sizeof(PIECES) - 1 - at;

				op = websocket_take(&w, PIECES + at, left < step ? left : step,
						    &used, out + len, room, &n, NULL);
				CHECK(op >= 0);
				at += used;
				len += n;
				if (op != WEBSOCKET_PING)
					continue;
				pings++;
				CHECK_INT(w.control_len, 5);
				CHECK_INT(memcmp(w.control, "Hello", 5), 0);
			}
			CHECK_INT(op, WEBSOCKET_CLOSE);
			CHECK_INT(at, sizeof(PIECES) - 1);
			CHECK_INT(pings, 1);
			CHECK_STR(out, "Hello");
		}
}

static int code_of(const char *p, size_t len)
{
	struct websocket w = WEBSOCKET_INIT;
	struct err e = ERR_INIT;
	char out[300];
	size_t at = 0, used = 1, n;
	int op = 0;

	while (op >= 0 && at < len && used) {
		op = websocket_take(&w, p + at, len - at, &used, out, sizeof(out), &n, &e);
		at += used;
	}
	return op < 0 ? w.code : 0;
}
#define CODE(text) code_of(text, sizeof(text) - 1)
#define Z	   "\0\0\0\0" /* a mask that changes nothing */

TEST(refused)
{
	CHECK_INT(CODE(HELLO), 0);
	CHECK_INT(CODE("\x81\x05Hello"), WEBSOCKET_PROTOCOL);		/* not masked */
	CHECK_INT(CODE("\xc1\x81" Z "a"), WEBSOCKET_PROTOCOL);		/* compressed */
	CHECK_INT(CODE("\x83\x80" Z), WEBSOCKET_PROTOCOL);		/* unknown */
	CHECK_INT(CODE("\x8b\x80" Z), WEBSOCKET_PROTOCOL);		/* unknown */
	CHECK_INT(CODE("\x80\x80" Z), WEBSOCKET_PROTOCOL);		/* of no message */
	CHECK_INT(CODE("\x02\x80" Z "\x82\x80" Z), WEBSOCKET_PROTOCOL); /* one in one */
	CHECK_INT(CODE("\x09\x80" Z), WEBSOCKET_PROTOCOL);		/* ping in pieces */
	CHECK_INT(CODE("\x89\xfe\x00\x7e" Z), WEBSOCKET_PROTOCOL);	/* 126 bytes */
	CHECK_INT(CODE("\x82\xfe\x00\x7d" Z), WEBSOCKET_PROTOCOL);	/* not shortest */
	CHECK_INT(CODE("\x82\xff\0\0\0\0\0\0\xff\xff" Z), WEBSOCKET_PROTOCOL);
	CHECK_INT(CODE("\x82\xff\0\0\0\0\x01\0\0\0" Z), 0); /* 16 MiB */
	CHECK_INT(CODE("\x82\xff\0\0\0\0\x01\0\0\x01" Z), WEBSOCKET_TOO_BIG);
	CHECK_INT(CODE("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" Z), WEBSOCKET_TOO_BIG);
	CHECK_INT(CODE("\x88\x81" Z "\x03"), WEBSOCKET_PROTOCOL);
	CHECK_INT(CODE("\x88\x82" Z "\x03\xed"), WEBSOCKET_PROTOCOL); /* 1005 is never sent */
	CHECK_INT(CODE("\x88\x83" Z "\x03\xe8\xff"), WEBSOCKET_NO_UTF8);
	CHECK_INT(CODE("\x88\x80" Z), 0);
}

TEST(text_is_utf8)
{
	CHECK_INT(CODE("\x81\x82" Z "\xc3\xbc"), 0);
	CHECK_INT(CODE("\x01\x81" Z "\xc3\x80\x81" Z "\xbc"), 0); /* in two frames */
	CHECK_INT(CODE("\x81\x81" Z "\xc3"), WEBSOCKET_NO_UTF8);
	CHECK_INT(CODE("\x81\x84" Z "\xff"
		       "abc"),
		  WEBSOCKET_NO_UTF8);
	CHECK_INT(CODE("\x82\x84" Z "\xff"
		       "abc"),
		  0);
}

TEST(heads)
{
	unsigned char h[WEBSOCKET_HEAD_MAX];

	CHECK_INT(websocket_head(h, WEBSOCKET_BINARY, 125), 2);
	CHECK_INT(memcmp(h, "\x82\x7d", 2), 0);
	CHECK_INT(websocket_head(h, WEBSOCKET_PONG, 0), 2);
	CHECK_INT(memcmp(h, "\x8a\x00", 2), 0);
	CHECK_INT(websocket_head(h, WEBSOCKET_BINARY, 256), 4);
	CHECK_INT(memcmp(h, "\x82\x7e\x01\x00", 4), 0);
	CHECK_INT(websocket_head(h, WEBSOCKET_BINARY, 65536), 10);
	CHECK_INT(memcmp(h, "\x82\x7f\0\0\0\0\0\x01\0\0", 10), 0);
}

TEST_MAIN(T(handshake), T(the_same_however_it_comes), T(refused), T(text_is_utf8), T(heads))

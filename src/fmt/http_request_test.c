/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/http_request.h"

#define HOST "Host: a\r\n"

static ssize_t parse(const char *text, struct arena *a, struct http_request *r, struct err *e)
{
	return http_request_parse(text, strlen(text), a, r, e);
}

TEST(a_request_with_everything)
{
	static const char text[] = "POST /v1.41/x%20y?a=1&b=c+d&a=%41&e HTTP/1.1\r\n"
				   "host: \t localhost:1 \r\n"
				   "Connection: keep-alive, Upgrade\r\n"
				   "Upgrade: tcp\r\n"
				   "Content-Length: 12\r\n"
				   "Expect: 100-Continue\r\n"
				   "\r\nbody";
	auto_arena struct arena a = ARENA_INIT;
	struct http_request r;
	struct strs all;

	CHECK_INT(parse(text, &a, &r, NULL), sizeof(text) - 5);
	CHECK_STR(r.method, "POST");
	CHECK_STR(r.path, "/v1.41/x%20y");
	CHECK_STR(http_request_decode(r.path, strlen(r.path), false, &a), "/v1.41/x y");
	CHECK_STR(r.host, "localhost:1");
	CHECK_STR(r.upgrade, "tcp");
	CHECK_INT(r.body, HTTP_BODY_LENGTH);
	CHECK_INT(r.length, 12);
	CHECK(r.keep_alive && r.expect_continue && r.minor == 1);
	CHECK_STR(http_request_query(&r, "b", &a), "c d");
	CHECK_STR(http_request_query(&r, "e", &a), "");
	CHECK(!http_request_query(&r, "none", &a));
	http_request_queries(&r, "a", &a, &all);
	CHECK_INT(all.n, 2);
	CHECK_STR(all.v[1], "A");
}

TEST(a_head_in_pieces_is_waited_for)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
	auto_arena struct arena a = ARENA_INIT;
	struct http_request r;

	for (size_t i = 0; i + 1 < sizeof(text); i++)
		CHECK_INT(http_request_parse(text, i, &a, &r, NULL), 0);
	CHECK_INT(parse(text, &a, &r, NULL), sizeof(text) - 1);
	CHECK(r.keep_alive && r.body == HTTP_BODY_NONE && !r.upgrade);
}

TEST(old_clients_and_proxies)
{
	auto_arena struct arena a = ARENA_INIT;
	struct http_request r;

	CHECK(parse("GET /x HTTP/1.0\r\n\r\n", &a, &r, NULL) > 0);
	CHECK(!r.keep_alive && !r.host && r.minor == 0);
	CHECK(parse("GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &a, &r, NULL) > 0);
	CHECK(r.keep_alive);
	CHECK(parse("GET http://evil/y?z HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", &a, &r,
		    NULL) > 0);
	CHECK_STR(r.path, "/y");
	CHECK_STR(r.query, "z");
	CHECK_STR(r.host, "a");
	CHECK(!r.keep_alive);
	CHECK(parse("GET http://h HTTP/1.1\r\n" HOST "\r\n", &a, &r, NULL) > 0);
	CHECK_STR(r.path, "/");
}

/* What a proxy in front may read differently than we do. */
TEST(nothing_is_smuggled)
{
	static const char *const wrong[] = {
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: identity\r\n\r\n",
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \vchunked\r\n\r\n",
	    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "GET / HTTP/1.1\r\n" HOST "X: a\r\n folded\r\n\r\n",
	    "GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n",
	    "GET / HTTP/1.1\r\n" HOST "X: a\rY: b\r\n\r\n",
	    "GET / HTTP/1.1\r\n" HOST HOST "\r\n",
	    "GET / HTTP/1.1\r\n\r\n",
	    "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n",
	    "GET / HTTP/1.1\r\n" HOST "nothing\r\n\r\n",
	    "GET  / HTTP/1.1\r\n" HOST "\r\n",
	    "GET / HTTP/1.1 \r\n" HOST "\r\n",
	    "GET /a b HTTP/1.1\r\n" HOST "\r\n",
	    "GET x HTTP/1.1\r\n" HOST "\r\n",
	    "GET /#x HTTP/1.1\r\n" HOST "\r\n",
	    "GET / http/1.1\r\n" HOST "\r\n",
	    "GET / HTTP/1.10\r\n" HOST "\r\n",
	    "GET http://h?x HTTP/1.1\r\n" HOST "\r\n",
	    "G@T / HTTP/1.1\r\n" HOST "\r\n",
	    " / HTTP/1.1\r\n" HOST "\r\n",
	    "GET\r\n\r\n",
	    "\r\n\r\n",
	};
	auto_arena struct arena a = ARENA_INIT;
	struct http_request r;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err e = ERR_INIT;

		CHECK_INT(
		    parse(wrong[i], &a, &r, &e) < 0 && e.kind == ERR_USAGE ? (long long)i : -1, i);
	}
	for (size_t i = 0; i < 2; i++) {
		static const char *const beyond[] = {"GET / HTTP/2.0\r\n" HOST "\r\n",
						     "GET / HTTP/1.1\r\n" HOST
						     "Transfer-Encoding: gzip, chunked\r\n\r\n"};
		struct err e = ERR_INIT;

		CHECK(parse(beyond[i], &a, &r, &e) < 0);
		CHECK_INT(e.kind, ERR_UNSUPPORTED);
	}
	CHECK(http_request_parse("\x16\x03\x01", 3, &a, &r, NULL) < 0);
	CHECK(http_request_parse("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29, &a, &r, NULL) < 0);
}

TEST(limits)
{
	auto_arena struct arena a = ARENA_INIT;
	char *big = arena_alloc(&a, HTTP_REQUEST_HEAD_MAX + 2);
	struct err e = ERR_INIT;
	struct http_request r;
	size_t n;

	memset(big, 'x', HTTP_REQUEST_HEAD_MAX + 1);
	CHECK_INT(http_request_parse(big, HTTP_REQUEST_HEAD_MAX - 1, &a, &r, &e), 0);
	CHECK(http_request_parse(big, HTTP_REQUEST_HEAD_MAX, &a, &r, &e) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
	n = (size_t)snprintf(big, 64, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= HTTP_REQUEST_FIELDS_MAX; i++)
		n += (size_t)snprintf(big + n, 64, "A: b\r\n");
	snprintf(big + n, 64, "\r\n");
	e = ERR_INIT;
	CHECK(parse(big, &a, &r, &e) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
}

TEST(what_cannot_be_decoded)
{
	static const char *const wrong[] = {"%", "%4", "%4g", "%00", "a%"};
	auto_arena struct arena a = ARENA_INIT;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK(!http_request_decode(wrong[i], strlen(wrong[i]), true, &a));
	CHECK_STR(http_request_decode("a%2fb%41+", 9, false, &a), "a/bA+");
}

static enum http_range range(const char *value, uint64_t size, uint64_t *first, uint64_t *last)
{
	struct http_field f = {"range", value};
	struct http_request r = {.fields = &f, .nfields = 1};

	return http_request_range(&r, size, first, last);
}

TEST(ranges)
{
	static const struct {
		const char *value;
		uint64_t size, first, last;
		enum http_range what;
	} cases[] = {
	    {"bytes=0-", 10, 0, 9, HTTP_RANGE_PART},
	    {"bytes=3-5", 10, 3, 5, HTTP_RANGE_PART},
	    {"bytes=9-100", 10, 9, 9, HTTP_RANGE_PART},
	    {"bytes=-3", 10, 7, 9, HTTP_RANGE_PART},
	    {"bytes=-30", 10, 0, 9, HTTP_RANGE_PART},
	    {"bytes=10-", 10, 0, 0, HTTP_RANGE_BEYOND},
	    {"bytes=10-20", 10, 0, 0, HTTP_RANGE_BEYOND},
	    {"bytes=-0", 10, 0, 0, HTTP_RANGE_BEYOND},
	    {"bytes=0-", 0, 0, 0, HTTP_RANGE_BEYOND},
	    {"bytes=-5", 0, 0, 0, HTTP_RANGE_BEYOND},
	    {"bytes=5-3", 10, 0, 0, HTTP_RANGE_NONE},
	    {"bytes=-", 10, 0, 0, HTTP_RANGE_NONE},
	    {"bytes=1-2,4-5", 10, 0, 0, HTTP_RANGE_NONE},
	    {"lines=1-2", 10, 0, 0, HTTP_RANGE_NONE},
	    {"bytes=99999999999999999999-", 10, 0, 0, HTTP_RANGE_NONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t first = 0, last = 0;

		CHECK_INT(range(cases[i].value, cases[i].size, &first, &last), cases[i].what);
		CHECK_INT(first, cases[i].first);
		CHECK_INT(last, cases[i].last);
	}
}

TEST_MAIN(T(a_request_with_everything), T(a_head_in_pieces_is_waited_for),
	  T(old_clients_and_proxies), T(nothing_is_smuggled), T(limits), T(what_cannot_be_decoded),
	  T(ranges))

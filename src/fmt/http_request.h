/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request - the head of an HTTP/1.x request, as a server reads it from strangers.
 *
 * Strict, because a message that two programs read differently is how requests are smuggled: lines
 * end in CRLF only, no folding, no blank before a colon, one Host, one Content-Length of digits,
 * no Content-Length beside Transfer-Encoding, and of encodings only "chunked".
 * Source: RFC 9112 (sections 2, 3, 5, 6), RFC 9110 (sections 5, 14.2).
 */
#ifndef FMT_HTTP_REQUEST_H
#define FMT_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct strs;

#define HTTP_REQUEST_HEAD_MAX	(64u << 10) /* bytes up to and with the empty line */
#define HTTP_REQUEST_TARGET_MAX (16u << 10)
#define HTTP_REQUEST_FIELDS_MAX 100

enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_field {
	const char *name, *value; /* as they came; the value without blanks around it */
};

struct http_request {
	const char *method;
	const char *path;  /* of the target, not decoded; begins with '/' */
	const char *query; /* behind the '?', not decoded; "" when there is none */
	int minor;	   /* of HTTP/1.x: 0 or 1 */
	struct http_field *fields;
	size_t nfields;
	const char *host;    /* NULL: 1.0 without one */
	const char *upgrade; /* what Upgrade asks for, if Connection says that it means this hop */
	int body;	     /* enum http_body */
	uint64_t length;     /* of the body, where it says so */
	bool keep_alive, expect_continue;
};

/* Returns the length of the head, or 0 when more of it must come first.  Strings go into a.
 * Errors: ERR_USAGE malformed, ERR_LIMIT, ERR_UNSUPPORTED another version or encoding. */
ssize_t http_request_parse(const char *p, size_t len, struct arena *a, struct http_request *out,
			   struct err *e);

/* The first field of that name, in any case; NULL. */
const char *http_request_field(const struct http_request *r, const char *name);

/* %41 becomes A (and + a blank, in a query).  NULL for what is malformed or holds a NUL. */
const char *http_request_decode(const char *s, size_t len, bool query, struct arena *a);

/* A parameter of the query, decoded: the first, or all of that name in order.  "x" without "=" is
 * "".  NULL where there is none, and for one that cannot be decoded. */
const char *http_request_query(const struct http_request *r, const char *name, struct arena *a);
void http_request_queries(const struct http_request *r, const char *name, struct arena *a,
			  struct strs *out);

/* What Range asks of `size` bytes.  Several ranges, other units and what is malformed count as none
 * (the whole is sent then). */
enum http_range { HTTP_RANGE_NONE, HTTP_RANGE_PART, HTTP_RANGE_BEYOND };
enum http_range http_request_range(const struct http_request *r, uint64_t size, uint64_t *first,
				   uint64_t *last);

#endif

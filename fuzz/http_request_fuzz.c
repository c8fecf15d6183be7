/* SPDX-License-Identifier: Apache-2.0 */
/* http_request - what was taken for a request has a method, a path and at most one way to find the
 * end of its body, nothing in it breaks a line, and the part before its end is not one too. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/http_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void clean(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			abort();
}

static void check(const struct http_request *r, struct arena *a)
{
	uint64_t first = 0, last = 0;
	struct strs all;

	if (!*r->method || r->path[0] != '/' || (r->body == HTTP_BODY_LENGTH) != (r->length != 0))
		abort();
	if (http_request_field(r, "Transfer-Encoding") && http_request_field(r, "Content-Length"))
		abort();
	clean(r->path);
	clean(r->query);
	for (size_t i = 0; i < r->nfields; i++) {
		clean(r->fields[i].name);
		clean(r->fields[i].value);
	}
	http_request_queries(r, "a", a, &all);
	http_request_decode(r->path, strlen(r->path), false, a);
	if (http_request_range(r, 1000, &first, &last) == HTTP_RANGE_PART &&
	    (first > last || last >= 1000))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *p = (const char *)data;
	struct http_request r, again;
	struct err e = ERR_INIT;
	ssize_t n = http_request_parse(p, size, &a, &r, &e);

	if (n < 0 && e.kind == ERR_NONE)
		abort();
	if (n <= 0)
		return 0;
	if ((size_t)n > size || http_request_parse(p, (size_t)n - 1, &a, &again, NULL) != 0 ||
	    http_request_parse(p, (size_t)n, &a, &again, NULL) != n)
		abort();
	check(&r, &a);
	return 0;
}

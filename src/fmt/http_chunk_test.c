/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "fmt/http_chunk.h"

static const char BODY[] = "5\r\nhello\r\n6;ext=\"1\"\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET";
#define BODY_LEN (sizeof(BODY) - 4)

/* Give it `step` bytes at a time and take `room` at a time. */
static ssize_t whole(const char *in, size_t len, size_t step, size_t room, char out[64],
		     size_t *used)
{
	struct http_chunk c = HTTP_CHUNK_INIT;
	size_t at = 0, n = 0;

	while (!http_chunk_over(&c)) {
		size_t took = 0, piece = len - at < step ? len - at : step;
		ssize_t r = http_chunk_take(&c, in + at, piece, &took, out + n, room, NULL);

		if (r < 0)
			return r;
		if (!took && !r && at == len)
			break;
		at += took;
		n += (size_t)r;
	}
	*used = at;
	return http_chunk_over(&c) ? (ssize_t)n : -1;
}

TEST(the_same_however_it_comes)
{
	for (size_t step = 1; step < sizeof(BODY); step++)
		for (size_t room = 1; room < 20; room++) {
			char out[64] = "";
			size_t used = 0;

			CHECK_INT(whole(BODY, sizeof(BODY) - 1, step, room, out, &used), 11);
			CHECK_INT(memcmp(out, "hello world", 11), 0);
			CHECK_INT(used, BODY_LEN);
		}
}

TEST(malformed)
{
	static const char *const wrong[] = {"\r\n",
					    "x\r\n",
					    "5\nhello",
					    "5\r\nhelloX\n",
					    "5\r\nhello\n",
					    "0\r\n\n",
					    "0\r\nA\nB\r\n",
					    "5 \n",
					    "-5\r\n",
					    "0x5\r\n",
					    "5;a\nb\r\n",
					    "0\r\n\rX",
					    " 5\r\nhello\r\n",
					    "0\n\n"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct http_chunk c = HTTP_CHUNK_INIT;
		struct err e = ERR_INIT;
		char out[64];
		size_t used;

		CHECK_INT(http_chunk_take(&c, wrong[i], strlen(wrong[i]), &used, out, 64, &e) < 0 &&
				  e.kind == ERR_USAGE
			      ? (long long)i
			      : -1,
			  i);
	}
}

TEST(limits)
{
	char big[HTTP_CHUNK_LINE_MAX + 8], out[8];
	struct http_chunk c = HTTP_CHUNK_INIT;
	struct err e = ERR_INIT;
	size_t used;

	memset(big, 'a', sizeof(big));
	CHECK(http_chunk_take(&c, "10000000000000000\r\n", 19, &used, out, 8, &e) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
	c = HTTP_CHUNK_INIT;
	e = ERR_INIT;
	big[1] = ';';
	CHECK(http_chunk_take(&c, big, sizeof(big), &used, out, 8, &e) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
}

TEST_MAIN(T(the_same_however_it_comes), T(malformed), T(limits))

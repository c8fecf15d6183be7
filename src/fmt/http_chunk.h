/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_chunk - a body in chunks, taken apart as it comes.
 *
 * Chunk extensions and trailers are passed over, within limits; as in fmt/http_request.h only CRLF
 * ends a line.  Source: RFC 9112, section 7.1.
 */
#ifndef FMT_HTTP_CHUNK_H
#define FMT_HTTP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define HTTP_CHUNK_LINE_MAX    1024 /* bytes of extensions of one chunk */
#define HTTP_CHUNK_TRAILER_MAX 8192

struct http_chunk {
	int state;     /* private */
	uint64_t left; /* of this chunk's data */
	size_t passed; /* bytes of this line, or of all trailers */
	unsigned int digits;
};
#define HTTP_CHUNK_INIT ((struct http_chunk){0})

/* Take some of in: *used says how much; the body's bytes go to out.  Returns how many those are
 * (0: more must come, or the end), at most room.  ERR_USAGE what is malformed, ERR_LIMIT. */
ssize_t http_chunk_take(struct http_chunk *c, const char *in, size_t len, size_t *used, void *out,
			size_t room, struct err *e);

/* Was the last chunk taken, with its trailers? */
bool http_chunk_over(const struct http_chunk *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* base64 - RFC 4648, section 4: the usual alphabet, padded. */
#ifndef FMT_BASE64_H
#define FMT_BASE64_H

#include <stddef.h>

struct arena;
struct buf;

/* Any bytes, with a NUL behind them; NULL when malformed. */
const char *base64_bytes(const char *s, struct arena *a, size_t *len);
/* NULL when malformed or when it holds a NUL byte. */
const char *base64_decode(const char *s, struct arena *a);
void base64_print(struct buf *out, const void *data, size_t n);

#endif

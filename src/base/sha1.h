/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha1 - for the answer to a WebSocket's handshake and for nothing else: it proves that the server
 * speaks that protocol, and protects nothing.  What must not be forged has base/sha256.h.
 * Source: RFC 3174.
 */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include <stddef.h>

#define SHA1_LEN 20

void sha1_of(const void *data, size_t len, unsigned char sum[SHA1_LEN]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* digest - "sha256:" and 64 lower-case hex digits, the only form we store.
 * Source: OCI image-spec v1.1, descriptor.md, "Digests". */
#ifndef FMT_DIGEST_H
#define FMT_DIGEST_H

#include <stdbool.h>

#define DIGEST_HEX 64
#define DIGEST_LEN (7 + DIGEST_HEX) /* without the NUL */

bool digest_valid(const char *s);

/* The 64 hex digits of a valid digest. */
const char *digest_hex(const char *digest);

/* Write "sha256:<hex of 32 bytes>" and a NUL. */
void digest_print(const unsigned char sum[32], char out[DIGEST_LEN + 1]);

#endif

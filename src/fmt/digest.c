/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/digest.h"
#include "base/str.h"

#include <assert.h>
#include <stdio.h>

bool digest_valid(const char *s)
{
	const char *hex = str_after(s, "sha256:");

	return hex && strlen(hex) == DIGEST_HEX && strspn(hex, "0123456789abcdef") == DIGEST_HEX;
}

const char *digest_hex(const char *digest)
{
	assert(digest_valid(digest));
	return digest + 7;
}

void digest_print(const unsigned char sum[32], char out[DIGEST_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	char *p = out + 7;

	memcpy(out, "sha256:", 7);

	for (int i = 0; i < 32; i++) {
		*p++ = hex[sum[i] >> 4];
		*p++ = hex[sum[i] & 15];
	}
	*p = '\0';
}

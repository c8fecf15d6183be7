/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha1.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

static uint32_t rol(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

/* f(t; B, C, D) + K(t) of section 5. */
static uint32_t mix(int t, const uint32_t s[5])
{
	if (t < 20)
		return ((s[1] & s[2]) | (~s[1] & s[3])) + 0x5a827999;
	if (t < 40)
		return (s[1] ^ s[2] ^ s[3]) + 0x6ed9eba1;
	if (t < 60)
		return ((s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])) + 0x8f1bbcdc;
	return (s[1] ^ s[2] ^ s[3]) + 0xca62c1d6;
}

static void block(uint32_t h[5], const unsigned char *p)
{
	uint32_t w[80], s[5];

	for (int t = 0; t < 16; t++) {
		uint32_t v;

		memcpy(&v, p + 4 * t, 4);
		w[t] = be32toh(v);
	}
	for (int t = 16; t < 80; t++)
		w[t] = rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(s, h, sizeof(s));
	for (int t = 0; t < 80; t++) {
		uint32_t first = rol(s[0], 5) + mix(t, s) + s[4] + w[t];

		memmove(s + 1, s, 4 * sizeof(*s));
		s[2] = rol(s[2], 30);
		s[0] = first;
	}
	for (int i = 0; i < 5; i++)
		h[i] += s[i];
}

void sha1_of(const void *data, size_t len, unsigned char sum[SHA1_LEN])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	const unsigned char *p = data;
	unsigned char last[128] = {0};
	uint64_t bits = htobe64((uint64_t)len * 8);
	size_t n = len % 64, end = n < 56 ? 64 : 128;

	for (size_t i = 0; i + 64 <= len; i += 64)
		block(h, p + i);
	if (n)
		memcpy(last, p + len - n, n);
	last[n] = 0x80;
	memcpy(last + end - sizeof(bits), &bits, sizeof(bits));
	for (size_t i = 0; i < end; i += 64)
		block(h, last + i);
	for (int i = 0; i < 5; i++) {
		uint32_t v = htobe32(h[i]);

		memcpy(sum + 4 * i, &v, 4);
	}
}

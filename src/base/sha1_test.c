/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha1.h"
#include "base/test.h"

static void check(const void *data, size_t len, const char *want)
{
	unsigned char sum[SHA1_LEN];
	char hex[2 * SHA1_LEN + 1];

	sha1_of(data, len, sum);
	for (int i = 0; i < SHA1_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	CHECK_STR(hex, want);
}

/* TEST1 to TEST4 of RFC 3174, 7.3; of the sums its text gives the bytes. */
TEST(vectors_of_the_rfc)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static char million[1000000], digits[640];

	memset(million, 'a', sizeof(million));
	for (size_t i = 0; i < sizeof(digits); i++)
		digits[i] = (char)('0' + i % 8);
	check("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	check(two, sizeof(two) - 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	check(million, sizeof(million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	check(digits, sizeof(digits), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

/* Around the place of the length, 56 of 64; python's hashlib says the same. */
TEST(ends_of_blocks)
{
	static const char a[64] = {0};

	check("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	check(a, 55, "8e8832c642a6a38c74c17fc92ccedc266c108e6c");
	check(a, 56, "9438e360f578e12c0e0e8ed28e2c125c1cefee16");
	check(a, 63, "0b8bf9fc37ad802cefa6733ec62b09d5f43a1b75");
	check(a, 64, "c8d7d0ef0eedfa82d2ea1aa592845b9a6d4b02b7");
}

TEST_MAIN(T(vectors_of_the_rfc), T(ends_of_blocks))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"
#include "base/test.h"

/* The loop once more, which a processor with SHA instructions would not run. */
#define SHA256_PORTABLE
#define sha256_init loop_init
#define sha256_add  loop_add
#define sha256_done loop_done
#define sha256_of   loop_of
static void loop_init(struct sha256 *s);
static void loop_add(struct sha256 *s, const void *data, size_t len);
static void loop_done(struct sha256 *s, unsigned char sum[32]);
static void loop_of(const void *data, size_t len, unsigned char sum[32]);
#include "base/sha256.c"
#undef sha256_init
#undef sha256_add
#undef sha256_done
#undef sha256_of

static void hex(const unsigned char *sum, char *out)
{
	for (int i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* Vectors of FIPS 180-4's examples. */
TEST(known_sums)
{
	unsigned char sum[32];
	char h[65];

	sha256_of("", 0, sum);
	hex(sum, h);
	CHECK_STR(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of("abc", 3, sum);
	hex(sum, h);
	CHECK_STR(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, sum);
	hex(sum, h);
	CHECK_STR(h, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(pieces_make_the_same_sum)
{
	unsigned char data[300], a[32], b[32];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7);
	for (size_t len = 0; len < sizeof(data); len++) {
		struct sha256 s;

		sha256_of(data, len, a);
		sha256_init(&s);
		for (size_t i = 0; i < len; i += 13)
			sha256_add(&s, data + i, len - i < 13 ? len - i : 13);
		sha256_done(&s, b);
		CHECK(memcmp(a, b, 32) == 0);
		loop_of(data, len, b);
		CHECK(memcmp(a, b, 32) == 0);
	}
}

TEST_MAIN(T(known_sums), T(pieces_make_the_same_sum))

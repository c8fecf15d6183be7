/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/digest.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

TEST(only_sha256_and_64_lower_case_digits)
{
	char longer[DIGEST_LEN + 2] = "sha256:" ZEROS;

	CHECK(digest_valid("sha256:" ZEROS));
	CHECK(!digest_valid(""));
	CHECK(!digest_valid("sha256:"));
	CHECK(!digest_valid(ZEROS));
	CHECK(!digest_valid("sha512:" ZEROS));
	CHECK(!digest_valid("SHA256:" ZEROS));
	longer[DIGEST_LEN] = '0';
	CHECK(!digest_valid(longer));
	longer[DIGEST_LEN - 1] = '\0';
	CHECK(!digest_valid(longer));
	for (const char *c = "ABCDEFg/.\n "; *c; c++) {
		char bad[] = "sha256:" ZEROS;

		bad[20] = *c;
		CHECK(!digest_valid(bad));
	}
}

TEST(print_and_hex_agree)
{
	unsigned char sum[32];
	char out[DIGEST_LEN + 1];

	for (int i = 0; i < 32; i++)
		sum[i] = (unsigned char)(i * 8 + 7);
	digest_print(sum, out);
	CHECK_STR(out, "sha256:070f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff");
	CHECK(digest_valid(out));
	CHECK_STR(digest_hex(out), out + 7);
}

TEST_MAIN(T(only_sha256_and_64_lower_case_digits), T(print_and_hex_agree))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "registry/upload.h"

TEST(ranges_of_uploads)
{
	uint64_t have = 7;

	CHECK_INT(upload_range("0-0", &have), 0);
	CHECK_INT(have, 1);
	CHECK_INT(upload_range("0-16777215", &have), 0);
	CHECK_INT(have, 16777216);
	have = 7;
	CHECK(upload_range("", &have) < 0);
	CHECK(upload_range("0-", &have) < 0);
	CHECK(upload_range("0--1", &have) < 0);
	CHECK(upload_range("1-5", &have) < 0);
	CHECK(upload_range("bytes=0-5", &have) < 0);
	CHECK(upload_range("0-5x", &have) < 0);
	CHECK(upload_range("0-18446744073709551615", &have) < 0);
	CHECK(upload_range("0-99999999999999999999999", &have) < 0);
	CHECK_INT(have, 7);
}

TEST_MAIN(T(ranges_of_uploads))

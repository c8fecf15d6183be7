/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/tarnum.h"

#include <errno.h>
#include <string.h>

static int64_t field(const char *p, size_t len)
{
	int64_t v = 0;
	int r = tarnum_field((const uint8_t *)p, len, &v);

	return r < 0 ? r : v;
}

#define FIELD(s) field(s, sizeof(s) - 1)

TEST(octal_fields)
{
	CHECK_INT(FIELD("0000644\0"), 0644);
	CHECK_INT(FIELD("   644 \0"), 0644);
	CHECK_INT(FIELD("\0\0\0\0"), 0);
	CHECK_INT(FIELD("        "), 0);
	CHECK_INT(FIELD("77777777777\0"), 077777777777);
	CHECK_INT(FIELD("777777777777"), 0777777777777);
	CHECK_INT(FIELD("12\0xyz"), 012);
	CHECK_INT(FIELD("12 x"), -EBADMSG);
	CHECK_INT(FIELD("128"), -EBADMSG);
	CHECK_INT(FIELD("-1"), -EBADMSG);
	CHECK_INT(FIELD("7777777777777777777777"), -ERANGE);
}

TEST(binary_fields)
{
	CHECK_INT(FIELD("\x80\0\0\0\0\0\0\x01"), 1);
	CHECK_INT(FIELD("\x80\0\0\0\0\0\x01\0\0\0\0\0"), INT64_C(1) << 40);
	CHECK_INT(FIELD("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), -2);
	CHECK_INT(FIELD("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX);
	CHECK_INT(FIELD("\x80\0\0\0\x80\0\0\0\0\0\0\0"), -ERANGE);
	CHECK_INT(FIELD("\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), -ERANGE);
	CHECK_INT(FIELD("\x90\0\0\0\0\0\0\0\0\0\0\0"), -ERANGE);
}

static int64_t decimal(const char *s)
{
	int64_t v = 0;
	int r = tarnum_decimal(s, strlen(s), &v);

	return r < 0 ? r : v;
}

TEST(decimals)
{
	CHECK_INT(decimal("0"), 0);
	CHECK_INT(decimal("-12"), -12);
	CHECK_INT(decimal("9223372036854775807"), INT64_MAX);
	CHECK_INT(decimal("9223372036854775808"), -ERANGE);
	CHECK_INT(decimal("99999999999999999999"), -ERANGE);
	CHECK_INT(decimal(""), -EBADMSG);
	CHECK_INT(decimal("-"), -EBADMSG);
	CHECK_INT(decimal("1 "), -EBADMSG);
	CHECK_INT(decimal("0x1"), -EBADMSG);
}

static void check_time(const char *s, int64_t sec, uint32_t nsec)
{
	int64_t v = 77;
	uint32_t n = 77;

	CHECK_INT(tarnum_time(s, strlen(s), &v, &n), 0);
	CHECK_INT(v, sec);
	CHECK_INT(n, nsec);
}

TEST(times)
{
	int64_t v;
	uint32_t n;

	check_time("12", 12, 0);
	check_time("12.", 12, 0);
	check_time("12.5", 12, 500000000);
	check_time("12.1234567899", 12, 123456789);
	check_time("-0.5", -1, 500000000);
	check_time("-3", -3, 0);
	check_time("-3.000000001", -4, 999999999);
	CHECK_INT(tarnum_time("1.x", 3, &v, &n), -EBADMSG);
	CHECK_INT(tarnum_time(".5", 2, &v, &n), -EBADMSG);
	CHECK_INT(tarnum_time("1.1.1", 5, &v, &n), -EBADMSG);
}

TEST_MAIN(T(octal_fields), T(binary_fields), T(decimals), T(times))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/tarwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

static unsigned int sum(const char *block)
{
	unsigned int s = 0;

	for (int i = 0; i < 512; i++)
		s += i >= 148 && i < 156 ? ' ' : (unsigned char)block[i];
	return s;
}

TEST(a_plain_entry_is_one_ustar_block)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct tarwrite_entry t = {.type = TARWRITE_FILE,
				   .name = "a/b",
				   .mode = 0104755,
				   .uid = 1000,
				   .gid = 07777777,
				   .size = 513,
				   .mtime = 1700000000};

	CHECK_INT(tarwrite_header(&t, &b, &e), 0);
	CHECK_INT(b.len, 512);
	CHECK_STR(b.p, "a/b");
	CHECK_STR(b.p + 100, "0004755");
	CHECK_STR(b.p + 108, "0001750");
	CHECK_STR(b.p + 116, "7777777");
	CHECK_STR(b.p + 124, "00000001001");
	CHECK_STR(b.p + 136, "14524770400");
	CHECK_INT(strtol(b.p + 148, NULL, 8), sum(b.p));
	CHECK_INT(b.p[156], '0');
	CHECK_INT(memcmp(b.p + 257, "ustar\00000", 8), 0);
	tarwrite_pad(513, &b);
	CHECK_INT(b.len, 512 + 511);
	tarwrite_pad(1024, &b);
	CHECK_INT(b.len, 512 + 511);
	tarwrite_end(&b);
	CHECK_INT(b.len, 512 + 511 + 1024);
}

TEST(a_long_name_is_cut_at_a_slash_or_goes_into_pax)
{
	auto_buf struct buf b = BUF_INIT(1 << 20), c = BUF_INIT(1 << 20);
	char name[300] = "";
	struct tarwrite_entry t = {.type = TARWRITE_DIR, .name = name, .mode = 0755};

	memset(name, 'x', 140);
	name[90] = '/';
	CHECK_INT(tarwrite_header(&t, &b, &e), 0);
	CHECK_INT(b.len, 512);
	CHECK_INT(strlen(b.p + 345), 90);
	CHECK_INT(strlen(b.p), 50);
	CHECK_INT(b.p[49], '/');
	name[90] = 'x';
	CHECK_INT(tarwrite_header(&t, &c, &e), 0);
	CHECK_INT(c.len, 3 * 512);
	CHECK_INT(c.p[156], 'x');
	CHECK_INT(strtol(c.p + 124, NULL, 8), 151);
	CHECK_INT(strncmp(c.p + 512, "151 path=xxx", 12), 0);
	CHECK_INT(c.p[512 + 150], '\n');
	CHECK_INT(c.p[1024 + 156], '5');
}

/* The length of a record counts its own digits: at 98 bytes of rest both 99 and 100 are tried. */
TEST(record_lengths_count_themselves)
{
	for (size_t n = 101; n < 2000; n++) {
		auto_buf struct buf b = BUF_INIT(1 << 20);
		char name[2100] = "";
		struct tarwrite_entry t = {.type = TARWRITE_SYMLINK, .name = "l", .link = name};
		size_t said, len;

		memset(name, 'y', n);
		CHECK_INT(tarwrite_header(&t, &b, &e), 0);
		said = (size_t)strtol(b.p + 512, NULL, 10);
		len = (size_t)strtol(b.p + 124, NULL, 8);
		CHECK_INT(said, len);
		CHECK_INT(b.p[512 + said - 1], '\n');
		CHECK(said % 512 == 0 || b.p[512 + said] == 0);
	}
}

TEST(what_ustar_cannot_say_goes_into_pax)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct tarwrite_xattr x = {"user.a", "1\0002", 3};
	struct tarwrite_entry t = {.type = TARWRITE_FILE,
				   .name = "f",
				   .uid = 1u << 31,
				   .size = UINT64_C(1) << 33,
				   .mtime = -2,
				   .mtime_nsec = 500000000,
				   .xattrs = &x,
				   .nxattrs = 1};
	static const char want[] = "19 size=8589934592\n18 uid=2147483648\n14 mtime=-1.5\n"
				   "27 SCHILY.xattr.user.a=1\0002\n";

	CHECK_INT(tarwrite_header(&t, &b, &e), 0);
	CHECK_INT(b.len, 3 * 512);
	CHECK_INT(strtol(b.p + 124, NULL, 8), sizeof(want) - 1);
	CHECK_INT(memcmp(b.p + 512, want, sizeof(want) - 1), 0);
	x.name = "user.a=b";
	CHECK(tarwrite_header(&t, &b, &e) < 0);
	t.name = "";
	CHECK(tarwrite_header(&t, &b, &e) < 0);
}

TEST_MAIN(T(a_plain_entry_is_one_ustar_block), T(a_long_name_is_cut_at_a_slash_or_goes_into_pax),
	  T(record_lengths_count_themselves), T(what_ustar_cannot_say_goes_into_pax))

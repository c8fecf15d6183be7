/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/test.h"
#include "fmt/timestamp.h"

static int64_t parse(const char *s)
{
	int64_t ns = -1;

	return timestamp_parse(s, &ns) ? ns : -1;
}

TEST(prints_as_go_does)
{
	auto_buf struct buf b = BUF_INIT(1024);

	timestamp_print(0, &b);
	timestamp_print(1500000000, &b);
	timestamp_print(1500000001, &b);
	CHECK_STR(b.p, "1970-01-01T00:00:00Z1970-01-01T00:00:01.5Z1970-01-01T00:00:01.500000001Z");
}

TEST(reads_what_it_prints_and_offsets)
{
	CHECK_INT(parse("1970-01-01T00:00:01.5Z"), 1500000000);
	CHECK_INT(parse("1970-01-01T01:00:01+01:00"), 1000000000);
	CHECK_INT(parse("2026-11-21T12:00:00.000000001Z") % 1000, 1);
	CHECK_INT(parse("2026-13-21T12:00:00Z"), -1);
	CHECK_INT(parse("2026-11-21 12:00:00Z"), -1);
	CHECK_INT(parse("2026-11-21T12:00:00"), -1);
	CHECK_INT(parse("2026-11-21T12:00:00Zx"), -1);
	CHECK_INT(parse(""), -1);
}

TEST_MAIN(T(prints_as_go_does), T(reads_what_it_prints_and_offsets))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/test.h"
#include "fmt/utf8.h"

TEST(json_escapes_controls_and_replaces_bad_bytes)
{
	auto_buf struct buf b = BUF_INIT(1024);

	utf8_json(&b, "a\"\\\n\x01\x7f\xff\xc3\xa4\xed\xa0\x80", 12);
	CHECK_STR(b.p, "a\\\"\\\\\\n\\u0001\\u007f\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef"
		       "\xbf\xbd");
}

TEST(sequences)
{
	CHECK_INT(utf8_sequence("\xf0\x9f\x98\x80", 4), 4);
	CHECK_INT(utf8_sequence("\xf0\x9f\x98\x80", 3), 0);
	CHECK_INT(utf8_sequence("\xc0\x80", 2), 0);
	CHECK_INT(utf8_sequence("\xf4\x90\x80\x80", 4), 0);
	CHECK_INT(utf8_sequence("", 0), 0);
}

TEST(nothing_reaches_a_terminal_as_control)
{
	auto_buf struct buf b = BUF_INIT(1024);

	utf8_visible(&b, "x\033[2J\xc2\x9b\xff\xc3\xa4");
	CHECK_STR(b.p, "x\\x1b[2J\\xc2\\x9b\\xff\xc3\xa4");
}

TEST_MAIN(T(json_escapes_controls_and_replaces_bad_bytes), T(sequences),
	  T(nothing_reaches_a_terminal_as_control))

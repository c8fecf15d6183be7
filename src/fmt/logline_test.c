/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/test.h"
#include "fmt/logline.h"

static bool parse(const char *s, struct logline *l, struct buf *b)
{
	return logline_parse(s, strlen(s), l, b);
}

TEST(reads_a_line)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct logline l;

	CHECK(parse("{\"log\":\"a\\u001b\\\"\\n\\u00e4\\ud83d\\ude00\",\"stream\":\"stderr\","
		    "\"time\":\"1970-01-01T00:00:01Z\"}",
		    &l, &b));
	CHECK_STR(b.p, "a\033\"\n\xc3\xa4\xf0\x9f\x98\x80");
	CHECK(l.err);
	CHECK_INT(l.ns, 1000000000);
}

TEST(torn_and_foreign_lines_are_refused)
{
	static const char *const bad[] = {"",
					  "{",
					  "{}",
					  "{\"log\":\"a",
					  "{\"log\":\"a\\",
					  "{\"log\":\"a\",\"stream\":\"stdout\"}",
					  "{\"log\":\"\\ud83d\",\"time\":\"1970-01-01T00:00:01Z\"}",
					  "{\"log\":\"\\u12\",\"time\":\"1970-01-01T00:00:01Z\"}",
					  "{\"log\":\"a\",\"time\":\"1970-01-01T00:00:01Z\"}x",
					  "{\"log\":7,\"time\":\"1970-01-01T00:00:01Z\"}"};
	struct logline l;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_buf struct buf b = BUF_INIT(1024);

		CHECK(!parse(bad[i], &l, &b));
	}
}

TEST(attributes_are_a_view)
{
	static const char text[] = "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":{\"k\":\"v"
				   "\\n\",\"tag\":\"t\"},\"time\":\"1970-01-01T00:00:01Z\"}";
	auto_buf struct buf b = BUF_INIT(1024);
	struct logline l;

	CHECK(parse(text, &l, &b));
	CHECK_STR(b.p, "a\n");
	CHECK_INT(l.attrs_len, strlen("{\"k\":\"v\\n\",\"tag\":\"t\"}"));
	CHECK(*l.attrs == '{');
	b.len = 0;
	CHECK(!parse("{\"log\":\"a\",\"attrs\":{\"k\":{}},\"time\":\"1970-01-01T00:00:01Z\"}", &l,
		     &b));
}

TEST_MAIN(T(attributes_are_a_view), T(reads_a_line), T(torn_and_foreign_lines_are_refused))

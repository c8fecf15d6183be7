/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/json.h"

#include <errno.h>

/* Parse text and compare what json_dump() makes of it; "!" when it was refused. */
static const char *through(const char *text, struct buf *out, struct err *e)
{
	auto_json struct json *j = NULL;

	out->len = 0;
	*e = ERR_INIT;
	if (json_parse(text, strlen(text), "doc", &j, e) < 0)
		return "!";
	json_dump(j, out);
	return out->p;
}

TEST(every_kind_of_value_is_read)
{
	static const char *const same[] = {
	    "{\"a\":[1,-2,true,false,null,\"x\"]}",
	    "[]",
	    "{}",
	    "\"s\"",
	    "123",
	    "-7",
	    "true",
	    "null",
	    "1.5",
	};
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct err e;

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		CHECK_STR(through(same[i], &b, &e), same[i]);
	CHECK_STR(through(" \n{ \"a\" : 1 } \r\n", &b, &e), "{\"a\":1}");
	CHECK_STR(through(" 12 ", &b, &e), "12");
}

TEST(what_two_readers_would_read_differently_is_refused)
{
	static const char *const bad[] = {
	    "",
	    " ",
	    "{",
	    "{\"a\":1,}",
	    "[1,]",
	    "{\"a\":1}x",
	    "{}{}",
	    "{a:1}",
	    "{'a':1}",
	    "// c\n{}",
	    "/* c */{}",
	    "{\"a\":1,\"a\":2}",
	    "[{\"b\":{\"c\":1,\"c\":1}}]",
	    "\"\xff\"",
	    "\"a\nb\"",
	    "{\"a\\u0000b\":1}",
	    "\"\\u0000\"",
	    "nul",
	    "tru",
	    "True",
	    "NaN",
	    "Infinity",
	    "-Infinity",
	    "[NaN]",
	    "01",
	    "\"\\x41\"",
	    "{\"\xc1\xb7\":1}",
	    "[\"\xed\xa0\x80\"]",
	    "1 2",
	};
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *got = through(bad[i], &b, &e);

		if (got[0] != '!')
			printf("# accepted: %s\n", bad[i]);
		CHECK_STR(got, "!");
		CHECK_INT(e.kind, ERR_CORRUPT);
		CHECK(!strncmp(e.msg, "doc", 3));
	}
}

TEST(a_nul_byte_ends_nothing)
{
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;

	CHECK_INT(json_parse("{}\0{}", 5, "doc", &j, &e), -EBADMSG);
	CHECK_INT(json_parse("\0", 1, "doc", &j, &e), -EBADMSG);
	CHECK_INT(json_parse("[1\0]", 4, "doc", &j, &e), -EBADMSG);
	CHECK(!j);
}

TEST(depth_has_a_limit)
{
	char deep[2 * (JSON_DEPTH_MAX + 10)];
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;
	size_t n = JSON_DEPTH_MAX + 5;

	memset(deep, '[', n);
	memset(deep + n, ']', n);
	CHECK_INT(json_parse(deep, 2 * n, "doc", &j, &e), -EBADMSG);
	CHECK(strstr(e.msg, "nesting"));
}

TEST(getters_answer_null_for_what_is_not_there)
{
	static const char text[] = "{\"s\":\"x\",\"n\":null,\"l\":[\"a\",1]}";
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;

	CHECK_INT(json_parse(text, strlen(text), "doc", &j, &e), 0);
	CHECK_STR(json_string(json_member(j, "s")), "x");
	CHECK(!json_member(j, "n"));
	CHECK(!json_member(j, "none"));
	CHECK(!json_member(json_member(j, "l"), "s"));
	CHECK(!json_member(NULL, "s"));
	CHECK_INT(json_length(j), 3);
	CHECK_INT(json_length(json_member(j, "l")), 2);
	CHECK_INT(json_length(json_member(j, "s")), 0);
	CHECK_STR(json_string(json_at(json_member(j, "l"), 0)), "a");
	CHECK(!json_string(json_at(json_member(j, "l"), 1)));
	CHECK(!json_at(json_member(j, "l"), 2));
	CHECK(!json_at(j, 0));
	CHECK(json_is_object(j) && !json_is_array(j));
}

static int count_to_two(const char *key, struct json *value, void *arg)
{
	return ++*(int *)arg == 2 ? -EINTR : 0;
}

TEST(each_stops_when_told)
{
	static const char text[] = "{\"a\":1,\"b\":2,\"c\":3}";
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;
	int n = 0;

	CHECK_INT(json_parse(text, strlen(text), "doc", &j, &e), 0);
	CHECK_INT(json_each(j, count_to_two, &n), -EINTR);
	CHECK_INT(n, 2);
}

TEST(quote_gives_what_parse_accepts)
{
	static const char *const strings[] = {
	    "",
	    "plain",
	    "q\"b\\s/",
	    "\t\n\x01\x1f\x7f",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3",
	};
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		auto_json struct json *j = NULL;

		b.len = 0;
		json_quote(&b, strings[i]);
		CHECK_INT(json_parse(b.p, b.len, "doc", &j, &e), 0);
		CHECK_STR(json_string(j), strings[i]);
	}
	b.len = 0;
	json_quote(&b, NULL);
	CHECK_STR(b.p, "null");
}

/* A command line or log line may hold any bytes; JSON may not. */
TEST(quote_replaces_what_is_not_utf8)
{
	static const struct {
		const char *in, *out;
	} t[] = {
	    {"a\xff"
	     "b",
	     "a\xef\xbf\xbd"
	     "b"},
	    {"\xc3", "\xef\xbf\xbd"},
	    {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},		      /* overlong */
	    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
	    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\xe2\x82\xac", "\xe2\x82\xac"},
	};
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		auto_json struct json *j = NULL;

		b.len = 0;
		json_quote(&b, t[i].in);
		CHECK_INT(json_parse(b.p, b.len, "doc", &j, &e), 0);
		CHECK_STR(json_string(j), t[i].out);
	}
}

TEST_MAIN(T(every_kind_of_value_is_read), T(what_two_readers_would_read_differently_is_refused),
	  T(a_nul_byte_ends_nothing), T(depth_has_a_limit),
	  T(getters_answer_null_for_what_is_not_there), T(each_stops_when_told),
	  T(quote_gives_what_parse_accepts), T(quote_replaces_what_is_not_utf8))

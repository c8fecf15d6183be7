/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "fmt/keyfile.h"

#include <string.h>

static int parse(const char *text, struct arena *a, struct strs *out, struct err *e)
{
	return keyfile_parse(text, strlen(text), "file", a, out, e);
}

TEST(takes_values_as_they_stand)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs l = {0};

	CHECK_INT(parse("\xef\xbb\xbf"
			"# comment\n\n  A=1 2 \r\n\tB=\"q\"=#x\nC\nD=\nE \n",
			&a, &l, NULL),
		  0);
	CHECK_INT(l.n, 5);
	CHECK_STR(l.v[0], "A=1 2 ");
	CHECK_STR(l.v[1], "B=\"q\"=#x");
	CHECK_STR(l.v[2], "C");
	CHECK_STR(l.v[3], "D=");
	CHECK_STR(l.v[4], "E");
}

TEST(names_the_line_that_is_wrong)
{
	static const char *const bad[] = {"A=1\n=x\n", "A=1\nB C=1\n", "A=1\nB C\n", "A=1\nB=\xff"};
	auto_arena struct arena a = ARENA_INIT;

	for (size_t i = 0; i < 4; i++) {
		struct strs l = {0};
		struct err e = ERR_INIT;

		CHECK(parse(bad[i], &a, &l, &e) < 0);
		CHECK_INT(e.kind, ERR_USAGE);
		CHECK(strstr(e.msg, "line 2") != NULL);
		CHECK_INT(l.n, 0);
	}
	CHECK(keyfile_parse("A=\0b", 4, "file", &a, &(struct strs){0}, NULL) < 0);
}

TEST(bounds_a_line)
{
	auto_arena struct arena a = ARENA_INIT;
	size_t n = KEYFILE_LINE_MAX + 1;
	char *s = arena_alloc(&a, n + 1);
	struct strs l = {0};

	memset(s, 'x', n);
	CHECK(keyfile_parse(s, n, "file", &a, &l, NULL) < 0);
	CHECK_INT(keyfile_parse(s, n - 1, "file", &a, &l, NULL), 0);
}

TEST_MAIN(T(takes_values_as_they_stand), T(names_the_line_that_is_wrong), T(bounds_a_line))

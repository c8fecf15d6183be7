/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "fmt/tar_name.h"

static struct tar_name n;
static struct err e;

static int parse(const char *s)
{
	e = ERR_INIT;
	return tar_name_parse(s, strlen(s), &n, &e);
}

TEST(names_become_canonical)
{
	static const char *const in[] = {"a/b", "./a/b", "/a/b", "a//b", "a/./b/", ".//a/b/."};

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		CHECK_INT(parse(in[i]), 0);
		CHECK_INT(n.kind, TAR_NAME_ENTRY);
		CHECK_STR(n.path, "a/b");
		CHECK_INT(n.len, 3);
	}
	CHECK_INT(parse("..a/..."), 0);
	CHECK_STR(n.path, "..a/...");
}

TEST(the_top_has_many_spellings)
{
	static const char *const in[] = {"", ".", "./", "/", "//", "././"};

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		CHECK_INT(parse(in[i]), 0);
		CHECK_INT(n.kind, TAR_NAME_ROOT);
		CHECK_STR(n.path, "");
	}
}

TEST(dotdot_is_refused_everywhere)
{
	static const char *const in[] = {"..",	"../a",	  "a/..",    "a/../b",
					 "/..", "./../x", "a/.wh..."};

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		CHECK(parse(in[i]) < 0);
		CHECK_INT(e.kind, ERR_CORRUPT);
	}
}

TEST(whiteouts_are_told_apart)
{
	CHECK_INT(parse("a/.wh.b"), 0);
	CHECK_INT(n.kind, TAR_NAME_WHITEOUT);
	CHECK_STR(n.path, "a/b");
	CHECK_INT(parse(".wh.b/"), 0);
	CHECK_STR(n.path, "b");
	CHECK_INT(parse("a/.wh..wh..opq"), 0);
	CHECK_INT(n.kind, TAR_NAME_OPAQUE);
	CHECK_STR(n.path, "a");
	CHECK_INT(parse(".wh..wh..opq"), 0);
	CHECK_STR(n.path, "");
	CHECK_INT(parse("a/.wh..wh.plnk/1.2"), 0);
	CHECK_INT(n.kind, TAR_NAME_META);
	CHECK_INT(parse("a/.wh..wh.aufs"), 0);
	CHECK_INT(n.kind, TAR_NAME_META);
	CHECK(parse("a/.wh.") < 0);
	CHECK(parse("a/.wh..") < 0);
	CHECK(parse("a/.wh.b/c") < 0);
}

TEST(limits_hold)
{
	static char s[2 * LIMIT_PATH];

	memset(s, 'x', LIMIT_NAME + 1);
	CHECK(parse(s) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
	s[LIMIT_NAME] = '\0';
	CHECK_INT(parse(s), 0);
	for (size_t i = 0; i < LIMIT_PATH + 3; i++)
		s[i] = i % 100 == 99 ? '/' : 'y';
	CHECK(parse(s) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
	for (size_t i = 0; i < 2 * (LIMIT_DEPTH + 1); i++)
		s[i] = i % 2 ? '/' : 'z';
	s[2 * (LIMIT_DEPTH + 1)] = '\0';
	CHECK(parse(s) < 0);
	CHECK(tar_name_parse("a\0b", 3, &n, &e) < 0);
}

TEST(components_are_walked)
{
	const char *p = "usr/lib/x", *c;

	CHECK_INT(tar_name_next(&p, &c), 3);
	CHECK_STR(p, "lib/x");
	CHECK_INT(tar_name_next(&p, &c), 3);
	CHECK_INT(tar_name_next(&p, &c), 1);
	CHECK_STR(c, "x");
	CHECK_INT(tar_name_next(&p, &c), 0);
}

TEST_MAIN(T(names_become_canonical), T(the_top_has_many_spellings), T(dotdot_is_refused_everywhere),
	  T(whiteouts_are_told_apart), T(limits_hold), T(components_are_walked))

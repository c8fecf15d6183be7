/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/glob.h"

static int path_matches(const char *pattern, const char *text)
{
	auto_arena struct arena a = ARENA_INIT;
	struct glob g;
	struct err e = ERR_INIT;

	if (glob_path(pattern, &a, &g, &e) < 0)
		return -1;
	return glob_match(&g, text, strlen(text));
}

TEST(paths)
{
	static const struct {
		const char *pattern, *text;
		int want;
	} cases[] = {
	    {"a", "a", 1},
	    {"a", "b", 0},
	    {"*", "a", 1},
	    {"*", "a/b", 0},
	    {"*.go", "x.go", 1},
	    {"*.go", "d/x.go", 0},
	    {"**/*.go", "x.go", 1},
	    {"**/*.go", "d/e/x.go", 1},
	    {"**", "a/b/c", 1},
	    {"a/**", "a/b/c", 1},
	    {"a/**", "a", 0},
	    {"a/**/b", "a/b", 1},
	    {"a/**/b", "a/x/y/b", 1},
	    {"a/**/b", "a/xb", 0},
	    {"a?c", "abc", 1},
	    {"a?c", "a/c", 0},
	    {"a?c",
	     "a\xc3\xa9"
	     "c",
	     1},
	    {"[a-c]x", "bx", 1},
	    {"[a-c]x", "dx", 0},
	    {"[^a-c]x", "dx", 1},
	    {"[^a]b", "/b", 0},
	    {"a\\*", "a*", 1},
	    {"a\\*", "ab", 0},
	    {"[\\]]", "]", 1},
	    {"**/**/a", "a", 1},
	    {"a**b", "ab", 1},
	    {"a**b", "ax/b", 1},
	    {"[a", "a", -1},
	    {"[]", "]", -1},
	    {"", "", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = path_matches(cases[i].pattern, cases[i].text);

		if (got != cases[i].want)
			printf("# '%s' on '%s'\n", cases[i].pattern, cases[i].text);
		CHECK_INT(got, cases[i].want);
	}
}

static ssize_t cut(const char *pattern, const char *text, bool end, bool longest)
{
	auto_arena struct arena a = ARENA_INIT;
	struct glob g;
	struct err e = ERR_INIT;

	if (glob_shell(pattern, strlen(pattern), &a, &g, &e) < 0)
		return -2;
	return end ? glob_suffix(&g, text, strlen(text), longest)
		   : glob_prefix(&g, text, strlen(text), longest);
}

TEST(ends)
{
	CHECK_INT(cut("*/", "a/b/c", false, false), 2);
	CHECK_INT(cut("*/", "a/b/c", false, true), 4);
	CHECK_INT(cut("/*", "a/b/c", true, false), 2);
	CHECK_INT(cut("/*", "a/b/c", true, true), 4);
	CHECK_INT(cut("x", "abc", false, true), -1);
	CHECK_INT(cut("", "abc", true, true), 0);
	CHECK_INT(cut("?", "\xc3\xa9", true, true), 2);
	CHECK_INT(cut("[a]", "[a]b", false, true), 3);
}

/* Nested stars take exponential time where a matcher backtracks. */
TEST(hostile_pattern)
{
	char pattern[2001], text[2001];

	for (int i = 0; i < 1000; i++) {
		pattern[2 * i] = '*';
		pattern[2 * i + 1] = 'a';
	}
	pattern[2000] = 0;
	memset(text, 'a', 2000);
	text[1999] = 'b';
	text[2000] = 0;
	CHECK_INT(path_matches(pattern, text), 0);
}

TEST(too_long)
{
	static char pattern[GLOB_PATTERN_MAX + 2];

	memset(pattern, 'a', GLOB_PATTERN_MAX + 1);
	CHECK_INT(path_matches(pattern, "a"), -1);
}

TEST_MAIN(T(paths), T(ends), T(hostile_pattern), T(too_long))

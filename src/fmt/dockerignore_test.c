/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/dockerignore.h"

static struct arena arena;

static struct dockerignore parse(const char *text)
{
	struct dockerignore d = {0};
	struct err e = ERR_INIT;

	if (dockerignore_parse(text, strlen(text), ".dockerignore", &arena, &d, &e) < 0)
		printf("# %s\n", e.msg);
	return d;
}

static int out(const char *text, const char *path)
{
	struct dockerignore d = parse(text);

	return dockerignore_match(&d, path);
}

TEST(rules)
{
	static const struct {
		const char *text, *path;
		int want;
	} cases[] = {
	    {"a", "a", 1},
	    {"a", "a/b", 1},
	    {"a", "b/a", 0},
	    {"/a/", "a/b", 1},
	    {"./x/../a", "a", 1},
	    {"../a", "a", 0},
	    {"/../a", "a", 1},
	    {"# a", "# a", 0},
	    {" # a", "# a", 1},
	    {"*.md\n!README.md", "x.md", 1},
	    {"*.md\n!README.md", "README.md", 0},
	    {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", 1},
	    {"*\n!src", "src/a.c", 0},
	    {"*\n!src\nsrc/*.o", "src/a.o", 1},
	    {"*\r\n! src/keep \r\n", "src/keep", 0},
	    {"**/*.o", "a/b/c.o", 1},
	    {"temp?", "tempa/x", 1},
	    {"*/temp*", "a/temporary", 1},
	    {"*/temp*", "a/b/temporary", 0},
	    {".", "a", 0},
	    {"\xef\xbb\xbf"
	     "a",
	     "a", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = out(cases[i].text, cases[i].path);

		if (got != cases[i].want)
			printf("# '%s' on '%s'\n", cases[i].text, cases[i].path);
		CHECK_INT(got, cases[i].want);
	}
}

TEST(directories_to_enter)
{
	struct dockerignore d = parse("*\n!src/keep/*.c\n");

	CHECK(dockerignore_enter(&d, "src"));
	CHECK(dockerignore_enter(&d, "src/keep"));
	CHECK(!dockerignore_enter(&d, "doc"));
	CHECK(!dockerignore_enter(&d, "src/keep/x/y"));
	d = parse("*\n");
	CHECK(!dockerignore_enter(&d, "src"));
	d = parse("*\n!**/x\n");
	CHECK(dockerignore_enter(&d, "any/where"));
}

TEST(refused)
{
	struct dockerignore d;
	struct err e = ERR_INIT;

	CHECK(dockerignore_parse("a\n!\n", 4, ".dockerignore", &arena, &d, &e) < 0);
	CHECK(strstr(e.msg, ".dockerignore:2: '!' wants a pattern"));
	CHECK(dockerignore_parse("[a\n", 3, ".dockerignore", &arena, &d, &e) < 0);
}

TEST(one_pattern)
{
	struct dockerignore d = {0};
	struct err e = ERR_INIT;

	CHECK_INT(dockerignore_add(&d, "*.txt", &arena, &e), 0);
	CHECK_INT(dockerignore_add(&d, "!keep.txt", &arena, &e), 0);
	CHECK(dockerignore_match(&d, "a.txt") && !dockerignore_match(&d, "keep.txt"));
	CHECK(dockerignore_add(&d, " ", &arena, &e) < 0);
}

TEST_MAIN(T(rules), T(directories_to_enter), T(refused), T(one_pattern))

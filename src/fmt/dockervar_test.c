/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/test.h"
#include "fmt/dockervar.h"

static const char *get(void *ctx, const char *name)
{
	(void)ctx;
	if (streq(name, "A"))
		return "alpha";
	if (streq(name, "EMPTY"))
		return "";
	if (streq(name, "PATHS"))
		return "/usr/bin:/bin";
	if (streq(name, "TWO"))
		return "one two";
	return NULL;
}

static const struct dockervar scope = {.get = get, .escape = '\\'};

/* The result, or "!" and the error. */
static const char *word(struct arena *a, const char *text)
{
	const char *out = NULL;
	struct err e = ERR_INIT;

	return dockervar_word(&scope, text, a, &out, &e) < 0 ? arena_printf(a, "!%s", e.msg) : out;
}

TEST(values)
{
	static const char *const cases[][2] = {
	    {"plain", "plain"},
	    {"$A", "alpha"},
	    {"${A}x", "alphax"},
	    {"$NONE.", "."},
	    {"a$", "a$"},
	    {"$.", "$."},
	    {"${NONE:-b}", "b"},
	    {"${EMPTY:-b}", "b"},
	    {"${EMPTY-b}", ""},
	    {"${A:+set}", "set"},
	    {"${EMPTY:+set}", ""},
	    {"${EMPTY+set}", "set"},
	    {"${NONE:-${A}x}", "alphax"},
	    {"${PATHS#*/}", "usr/bin:/bin"},
	    {"${PATHS##*/}", "bin"},
	    {"${PATHS%/*}", "/usr/bin:"},
	    {"${PATHS%%/*}", ""},
	    {"${PATHS%:*}", "/usr/bin"},
	    {"${PATHS/bin/sbin}", "/usr/sbin:/bin"},
	    {"${PATHS//bin/sbin}", "/usr/sbin:/sbin"},
	    {"${PATHS//\\//-}", "-usr-bin:-bin"},
	    {"${A/l*/}", "a"},
	    {"'$A'", "$A"},
	    {"\"$A \\\" \\x\"", "alpha \" \\x"},
	    {"\\$A", "$A"},
	    {"a\\ b", "a b"},
	    {"x\\", "x"},
	    {"'a'\"b\"c", "abc"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_arena struct arena a = ARENA_INIT;

		CHECK_STR(word(&a, cases[i][0]), cases[i][1]);
	}
}

TEST(refused)
{
	static const char *const cases[] = {
	    "${",    "${}",    "${A",	      "${A:",	 "${A:x}", "${A^}",
	    "'open", "\"open", "${NONE?why}", "${A:#b}", "${A/x}", "${EMPTY:?}",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_arena struct arena a = ARENA_INIT;

		CHECK_INT(*word(&a, cases[i]), '!');
	}
}

TEST(required_says_why)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(word(&a, "${NONE:?give it}"), "!NONE: give it");
}

TEST(words)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs w = {0};
	struct err e = ERR_INIT;

	CHECK_INT(dockervar_words(&scope, "a $TWO \"$TWO\" '' $EMPTY b\\ c", &a, &w, &e), 0);
	CHECK_INT(w.n, 6);
	CHECK_STR(w.v[1], "one");
	CHECK_STR(w.v[2], "two");
	CHECK_STR(w.v[3], "one two");
	CHECK_STR(w.v[4], "");
	CHECK_STR(w.v[5], "b c");
}

TEST(heredoc_text_keeps_quotes)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *out = NULL;
	struct err e = ERR_INIT;
	struct dockervar raw = scope;

	raw.no_quotes = true;
	CHECK_INT(dockervar_word(&raw, "say '$A' \"\\$A\"", &a, &out, &e), 0);
	CHECK_STR(out, "say 'alpha' \"$A\"");
}

TEST(nesting_has_a_limit)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf deep = BUF_INIT(4096);

	for (int i = 0; i <= DOCKERVAR_DEPTH_MAX; i++)
		buf_puts(&deep, "${N-");
	CHECK(strstr(word(&a, deep.p), "nested"));
}

TEST_MAIN(T(values), T(refused), T(required_says_why), T(words), T(heredoc_text_keeps_quotes),
	  T(nesting_has_a_limit))

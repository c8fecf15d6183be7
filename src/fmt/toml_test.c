/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/toml.h"

static int tell(const struct toml_item *i, void *arg, struct err *e)
{
	struct buf *b = arg;

	if (i->type == TOML_TABLE)
		buf_printf(b, "[%s]", i->table);
	else if (i->type == TOML_STRING)
		buf_printf(b, "%s=%s;", i->key, i->string);
	else if (i->type == TOML_BOOLEAN)
		buf_printf(b, "%s=%s;", i->key, i->boolean ? "yes" : "no");
	else if (i->type == TOML_INTEGER)
		buf_printf(b, "%s=%lld;", i->key, (long long)i->integer);
	else
		buf_printf(b, "%s?;", i->key);
	return 0;
}

static int read_all(const char *text, struct buf *b, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;

	return toml_read(text, strlen(text), "x.toml", &a, tell, b, e);
}

TEST(everything_that_is_known)
{
	auto_buf struct buf b = BUF_INIT(4096);
	static const char text[] =
	    "# comment\r\n"
	    "top = 'lit\\eral' # after\n"
	    "a.b . \"c d\" = \"x\\t\\u00e9\\\"\"\n"
	    "[one]\n"
	    "list = [ 'a', # first\n  'b',\n]\n"
	    "yes = true\nno=false\nn = -12\nf = 1.5\nd = 2026-01-01T00:00:00Z\n"
	    "[[two.three]]\n"
	    "t = [{k = 'v', n = 1}, {}]\n"
	    "after = 1";

	CHECK_INT(read_all(text, &b, NULL), 0);
	CHECK_STR(b.p, "top=lit\\eral;a.b.c d=x\t\xc3\xa9\";[one]list=a;list=b;yes=yes;no=no;n=-12;"
		       "f?;d?;[two.three][two.three.t]k=v;n=1;[two.three.t]after=1;");
}

TEST(what_is_not_toml)
{
	static const char *const wrong[] = {
	    "x",       "x =",	     "x = 'a",	"x = \"\\q\"",	"x = \"\\ud800\"",
	    "[x",      "[[x]",	     "[[[x]]]", "= 1",		"x = 1 y = 2",
	    "x = [1",  "x = {a = 1", "x = {a}", "x = \"a\nb\"", "x = \"\\u00\"",
	    "x..y = 1"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		struct err e = ERR_INIT;

		CHECK_INT(
		    read_all(wrong[i], &b, &e) < 0 && e.kind == ERR_CORRUPT ? (long long)i : -1, i);
	}
}

TEST(limits_and_lines)
{
	auto_buf struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;

	CHECK(read_all("a = 1\n\nb = '''x'''", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_UNSUPPORTED);
	CHECK_STR(e.msg, "x.toml: line 3: strings of several lines");
	e = ERR_INIT;
	CHECK(read_all("x = [[[[[[[[[[1]]]]]]]]]]", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_LIMIT);
}

TEST_MAIN(T(everything_that_is_known), T(what_is_not_toml), T(limits_and_lines))

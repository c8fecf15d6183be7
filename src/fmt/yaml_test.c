/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/yaml.h"

#include <errno.h>
#include <string.h>

static int read_yaml(const char *text, struct arena *a, struct strs *out, struct err *e)
{
	return yaml_to_json(text, strlen(text), "x.yaml", a, out, e);
}

TEST(documents_become_json)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
	    {"a: 1\nb: [x, 'y', \"z\\n\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\"]}"},
	    {"- 0644\n- 0o17\n- 0x1F\n- -5\n- 1.5e3\n- 08\n- 1.\n",
	     "[420,15,31,-5,1.5e3,\"08\",\"1.\"]"},
	    {"- ~\n-\n- true\n- False\n- yes\n- \"true\"\n- !!str 5\n- 1m\n",
	     "[null,null,true,false,\"yes\",\"true\",\"5\",\"1m\"]"},
	    {"1: x\ntrue: y\n", "{\"1\":\"x\",\"true\":\"y\"}"},
	    {"a: &n {k: v}\nb: *n\nc: [*n, &m s, *m]\n",
	     "{\"a\":{\"k\":\"v\"},\"b\":{\"k\":\"v\"},\"c\":[{\"k\":\"v\"},\"s\",\"s\"]}"},
	    {"t: |\n  one\n  two\ne: {}\nl: []\n", "{\"t\":\"one\\ntwo\\n\",\"e\":{},\"l\":[]}"},
	    {"99999999999999999999\n", "99999999999999999999"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_arena struct arena a = ARENA_INIT;
		struct err e = ERR_INIT;
		struct strs out = {0};

		CHECK_INT(read_yaml(cases[i].yaml, &a, &out, &e), 0);
		CHECK_INT(out.n, 1);
		CHECK_STR(out.n ? out.v[0] : e.msg, cases[i].json);
	}
}

TEST(several_documents_and_empty_ones)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct strs out = {0};

	CHECK_INT(read_yaml("# nothing\n---\na: 1\n---\n---\nb: 2\n...\n", &a, &out, &e), 0);
	CHECK_INT(out.n, 2);
	CHECK_STR(out.v[1], "{\"b\":2}");
}

TEST(what_is_not_taken_says_why)
{
	static const struct {
		const char *yaml;
		int r;
		const char *words;
	} cases[] = {
	    {"a: [1\n", -EBADMSG, "x.yaml: line"},
	    {"a: *none\n", -EBADMSG, "alias of no anchor"},
	    {"a: &a [*a]\n", -EBADMSG, "inside of its own anchor"},
	    {"<<: {a: 1}\n", -EOPNOTSUPP, "merge"},
	    {"? [a]\n: 1\n", -EOPNOTSUPP, "key"},
	    {"a: !!python/object x\n", -EOPNOTSUPP, "tag"},
	    {"a: \"\\0\"\n", -EBADMSG, "NUL"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_arena struct arena a = ARENA_INIT;
		struct err e = ERR_INIT;
		struct strs out = {0};

		CHECK_INT(read_yaml(cases[i].yaml, &a, &out, &e), cases[i].r);
		CHECK(strstr(e.msg, cases[i].words) != NULL);
	}
}

TEST(bombs_are_limited)
{
	auto_buf struct buf b = BUF_INIT(1 << 20), deep = BUF_INIT(1 << 20);
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct strs out = {0};

	buf_puts(&b, "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol]\n");
	for (int i = 1; i < 12; i++)
		buf_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
			   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	CHECK_INT(read_yaml(b.p, &a, &out, &e), -EOVERFLOW);
	for (int i = 0; i < 10000; i++)
		buf_puts(&deep, "[");
	CHECK_INT(read_yaml(deep.p, &a, &out, &e), -EOVERFLOW);
}

TEST(json_becomes_yaml_and_is_read_back)
{
	static const char json[] =
	    "{\"kind\":\"Pod\",\"m\":1,\"s\":[\"a\",\"yes\",\"8\",\"x: y\",\"\"],\"l\":[{\"a\":1,"
	    "\"b\":{\"c\":true}},{\"d\":null}],\"e\":{},\"f\":[],\"nest\":[[1,2],[]]}";
	auto_buf struct buf b = BUF_INIT(4096);
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct strs out = {0};

	CHECK_INT(yaml_from_json(json, strlen(json), &b, &e), 0);
	CHECK(strstr(b.p, "kind: Pod\nm: 1\ns:\n- a\n- \"yes\"\n- \"8\"\n") != NULL);
	CHECK_INT(read_yaml(b.p, &a, &out, &e), 0);
	CHECK_STR(out.n ? out.v[0] : e.msg, json);
}

TEST_MAIN(T(documents_become_json), T(several_documents_and_empty_ones),
	  T(what_is_not_taken_says_why), T(bombs_are_limited),
	  T(json_becomes_yaml_and_is_read_back))

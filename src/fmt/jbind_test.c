/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/jbind.h"

#include <errno.h>

struct port {
	const char *proto;
	uint32_t number;
};
struct ports {
	struct port *v;
	size_t n;
};
struct all {
	const char *str, *raw;
	bool yes;
	int64_t i64;
	uint64_t u64;
	int32_t i32;
	uint32_t u32;
	int color;
	struct port obj;
	struct port *ptr;
	struct ports list;
	struct strs strs, keys;
	struct jbind_nums nums;
	struct jbind_map map;
	struct jbind_optint opt;
};

static const char *const colors[] = {"", "red", "green", NULL};
static const struct jbind_field port_fields[] = {
    JB(struct port, proto, "proto", JBIND_STR),
    JB(struct port, number, "number", JBIND_U32, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind port_table = {sizeof(struct port), port_fields, true};
static const struct jbind_field all_fields[] = {
    JB(struct all, str, "str", JBIND_STR),
    JB(struct all, raw, "raw", JBIND_RAW),
    JB(struct all, yes, "yes", JBIND_BOOL),
    JB(struct all, i64, "i64", JBIND_INT),
    JB(struct all, u64, "u64", JBIND_UINT),
    JB(struct all, i32, "i32", JBIND_I32),
    JB(struct all, u32, "u32", JBIND_U32),
    JB(struct all, color, "color", JBIND_ENUM, .names = colors),
    JB(struct all, obj, "obj", JBIND_OBJ, .sub = &port_table),
    JB(struct all, ptr, "ptr", JBIND_PTR, .sub = &port_table),
    JB(struct all, list, "list", JBIND_LIST, .sub = &port_table),
    JB(struct all, strs, "strs", JBIND_STRS),
    JB(struct all, keys, "keys", JBIND_KEYS),
    JB(struct all, nums, "nums", JBIND_NUMS),
    JB(struct all, map, "map", JBIND_MAP),
    JB(struct all, opt, "opt", JBIND_OPTINT),
    JB_END,
};
static const struct jbind all_table = {sizeof(struct all), all_fields, false};

static int parse(const char *text, struct all *out, struct arena *a, struct err *e)
{
	*out = (struct all){0};
	*e = ERR_INIT;
	return jbind_parse(&all_table, text, strlen(text), out, a, "doc", e);
}

static const char full[] =
    "{\"str\":\"s\\\"\",\"raw\":{\"any\":[1,null]},\"yes\":true,\"i64\":-9223372036854775807,"
    "\"u64\":18446744073709551615,\"i32\":-2147483648,\"u32\":4294967295,\"color\":\"green\","
    "\"obj\":{\"number\":1},\"ptr\":{\"proto\":\"udp\",\"number\":2},"
    "\"list\":[{\"number\":3},{\"proto\":\"tcp\",\"number\":4}],\"strs\":[\"a\",\"\",\"c\"],"
    "\"keys\":{\"80/tcp\":{},\"53/udp\":{}},\"nums\":[-1,0,7],\"map\":{\"k\":\"v\",\"e\":\"\"},"
    "\"opt\":0}";

TEST(a_document_survives_reading_and_writing)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 16);
	struct all v;
	struct err e;

	CHECK_INT(parse(full, &v, &a, &e), 0);
	CHECK_INT(v.i64, -INT64_MAX);
	CHECK(v.u64 == UINT64_MAX);
	CHECK_INT(v.color, 2);
	CHECK_INT(v.list.n, 2);
	CHECK_STR(v.list.v[1].proto, "tcp");
	CHECK(!v.list.v[0].proto);
	CHECK(v.opt.set && !v.opt.v);
	CHECK(!v.strs.v[3]);
	CHECK_STR(jbind_lookup(&v.map, "k"), "v");
	CHECK(!jbind_lookup(&v.map, "none"));
	jbind_write(&all_table, &v, &out);
	CHECK_STR(out.p, full);
}

TEST(empty_members_are_left_out_unless_kept)
{
	static const struct jbind_field kept[] = {
	    JB(struct port, proto, "proto", JBIND_STR, .flags = JBIND_KEEP),
	    JB(struct port, number, "number", JBIND_U32, .flags = JBIND_KEEP),
	    JB_END,
	};
	static const struct jbind table = {sizeof(struct port), kept, false};
	auto_buf struct buf out = BUF_INIT(1 << 16);
	struct all nothing = {0};

	jbind_write(&all_table, &nothing, &out);
	CHECK_STR(out.p, "{}");
	out.len = 0;
	jbind_write(&table, &nothing.obj, &out);
	CHECK_STR(out.p, "{\"proto\":null,\"number\":0}");
}

TEST(null_and_unknown_members_are_absent)
{
	auto_arena struct arena a = ARENA_INIT;
	struct all v;
	struct err e;

	CHECK_INT(parse("{\"ptr\":null,\"strs\":null,\"u64\":null,\"other\":[{}]}", &v, &a, &e), 0);
	CHECK(!v.ptr && !v.strs.n && !v.u64);
}

TEST(errors_name_the_path)
{
	static const struct {
		const char *text, *msg;
	} t[] = {
	    {"[]", "doc: expected an object"},
	    {"{\"str\":1}", "doc: str: expected a string"},
	    {"{\"str\":\"a\\u0001\",\"yes\":\"true\"}", "doc: yes: expected true or false"},
	    {"{\"i32\":2147483648}", "doc: i32: expected a number from -2147483648 to 2147483647"},
	    {"{\"u32\":-1}", "doc: u32: expected a number from 0 to 4294967295"},
	    {"{\"u64\":-1}", "doc: u64: expected a number from 0 up, without fraction"},
	    {"{\"i64\":1.5}", "doc: i64: expected a number without fraction"},
	    {"{\"i64\":9223372036854775808}",
	     "doc: i64: expected a number from -9223372036854775808 to 9223372036854775807"},
	    {"{\"color\":\"blue\"}", "doc: color: expected one of red green"},
	    {"{\"color\":\"\"}", "doc: color: expected one of red green"},
	    {"{\"obj\":{}}", "doc: obj.number: expected a value"},
	    {"{\"ptr\":[]}", "doc: ptr: expected an object"},
	    {"{\"ptr\":{\"number\":1,\"x\":1}}", "doc: ptr: expected known members only"},
	    {"{\"list\":[{\"number\":1},{\"number\":\"2\"}]}",
	     "doc: list[1].number: expected a number without fraction"},
	    {"{\"list\":[null]}", "doc: list[0]: expected an object"},
	    {"{\"list\":{}}", "doc: list: expected an array"},
	    {"{\"strs\":[\"a\",null]}", "doc: strs[1]: expected a string"},
	    {"{\"strs\":\"a\"}", "doc: strs: expected an array of strings"},
	    {"{\"nums\":[1,2.5]}", "doc: nums[1]: expected a number without fraction"},
	    {"{\"map\":{\"k\":1}}", "doc: map.k: expected a string"},
	    {"{\"keys\":[]}", "doc: keys: expected an object"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		auto_arena struct arena a = ARENA_INIT;
		struct all v;
		struct err e;

		CHECK_INT(parse(t[i].text, &v, &a, &e), -EBADMSG);
		CHECK_STR(e.msg, t[i].msg);
	}
}

TEST(lists_that_were_read_can_be_added_to)
{
	auto_arena struct arena a = ARENA_INIT;
	struct all v;
	struct err e;

	CHECK_INT(parse("{\"strs\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}", &v, &a, &e), 0);
	arena_strs_add(&a, &v.strs, "6");
	CHECK_INT(v.strs.n, 6);
	CHECK_STR(v.strs.v[4], "5");
	CHECK_STR(v.strs.v[5], "6");
	CHECK(!v.strs.v[6]);
}

TEST_MAIN(T(a_document_survives_reading_and_writing), T(empty_members_are_left_out_unless_kept),
	  T(null_and_unknown_members_are_absent), T(errors_name_the_path),
	  T(lists_that_were_read_can_be_added_to))

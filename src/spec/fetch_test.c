/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "spec/fetch.h"

TEST(packets_read_back)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(FETCH_PACKET_MAX);
	struct fetch_msg m = {.id = 7, .op = "blob", .digest = "sha256:x", .size = 1ull << 40}, out;

	fetch_print(&m, &b);
	CHECK_INT(fetch_parse(b.p, b.len, &a, &out, NULL), 0);
	CHECK_INT(out.id, 7);
	CHECK_STR(out.op, "blob");
	CHECK_STR(out.digest, "sha256:x");
	CHECK(out.size == 1ull << 40);
	CHECK(!out.ref);
}

TEST(errors_travel_and_are_made_harmless)
{
	struct fetch_msg m = {0};
	struct err e = ERR_INIT, back = ERR_INIT;
	int r = err_set(&e, ERR_DENIED, "no\033[2Jway");

	fetch_from_err(&m, &e);
	CHECK_INT(fetch_to_err(&m, &back), r);
	CHECK_INT(back.kind, ERR_DENIED);
	CHECK_STR(back.msg, "no [2Jway");
	m.kind = 9999;
	CHECK(fetch_to_err(&m, &back) < 0);
	CHECK_INT(back.kind, ERR_SYSTEM);
	m.kind = ERR_NONE;
	CHECK(fetch_to_err(&m, &back) < 0);
}

TEST(unknown_members_are_refused)
{
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_msg out;

	CHECK(fetch_parse("{\"op\":\"x\",\"y\":1}", 16, &a, &out, NULL) < 0);
	CHECK(fetch_parse("{}", 2, &a, &out, NULL) < 0);
}

TEST_MAIN(T(packets_read_back), T(errors_travel_and_are_made_harmless),
	  T(unknown_members_are_refused))

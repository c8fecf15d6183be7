/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/cachedoc.h"

#include <string.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *text, struct arena *a, struct cachedoc *d)
{
	struct err e = ERR_INIT;

	return cachedoc_parse(text, strlen(text), a, d, &e) < 0 ? (int)e.kind : -1;
}

TEST(what_is_written_is_read)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 16);
	struct cachedoc_step steps[] = {
	    {.key = HEX, .diff_id = "sha256:" HEX, .step = "RUN x", .created_ns = 7}, {.key = HEX}};
	struct cachedoc_mount mount = {
	    .name = HEX "-0", .diff_id = "sha256:" HEX, .uid = 3, .gid = 4, .mode = 0700};
	struct cachedoc d = {.version = 1, .steps = {steps, 2}, .mounts = {&mount, 1}}, back;

	cachedoc_write(&d, &text);
	CHECK_INT(parse(text.p, &a, &back), -1);
	CHECK_INT(back.steps.n, 2);
	CHECK_STR(back.steps.v[0].diff_id, "sha256:" HEX);
	CHECK_INT(back.steps.v[0].created_ns, 7);
	CHECK(!back.steps.v[1].diff_id);
	CHECK_INT(back.mounts.v[0].mode, 0700);
}

TEST(what_is_refused)
{
	auto_arena struct arena a = ARENA_INIT;
	struct cachedoc d;

	CHECK_INT(parse("{\"version\":2}", &a, &d), ERR_UNSUPPORTED);
	CHECK_INT(parse("{\"version\":1,\"steps\":[{\"key\":\"../x\"}]}", &a, &d), ERR_CORRUPT);
	CHECK_INT(
	    parse("{\"version\":1,\"steps\":[{\"key\":\"" HEX "\",\"diffId\":\"x\"}]}", &a, &d),
	    ERR_CORRUPT);
	CHECK_INT(parse("{\"version\":1,\"mounts\":[{\"name\":\"" HEX
			"/0\",\"diffId\":\"sha256:" HEX "\",\"mode\":0}]}",
			&a, &d),
		  ERR_CORRUPT);
	CHECK_INT(parse("{\"version\":1,\"mounts\":[{\"name\":\"" HEX
			"-0\",\"diffId\":\"sha256:" HEX "\",\"mode\":65535}]}",
			&a, &d),
		  ERR_CORRUPT);
	CHECK(parse("{}", &a, &d) != -1);
	CHECK(parse("[", &a, &d) != -1);
}

TEST_MAIN(T(what_is_written_is_read), T(what_is_refused))

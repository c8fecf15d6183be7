/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "spec/plan.h"

#include <errno.h>

static const char text[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":5},\"args\":[\"sh\"],"
    "\"env\":[\"A=1\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"]},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":18446744073709551615,\"soft\":0}]},"
    "\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
    "\"annotations\":{\"k\":\"v\"},"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/x\"}],"
    "\"resources\":{\"memory\":{\"limit\":-1},\"pids\":{\"limit\":0}}},"
    "\"caisson\":{\"isolation\":\"vm\",\"id\":\"ab\",\"log\":{\"driver\":\"json-file\"}}}";

static int parse(const char *s, struct arena *a, struct plan **p, struct err *e)
{
	return plan_parse(s, strlen(s), "config.json", a, p, e);
}

TEST(a_plan_survives_the_round_trip_byte_for_byte)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct plan *p;

	CHECK_INT(parse(text, &a, &p, &e), 0);
	plan_write(p, &out);
	CHECK_STR(out.p, text);
	CHECK_INT(p->process->rlimits.v[0].hard == UINT64_MAX, 1);
	CHECK(p->linux_->resources->memory->limit.set);
	CHECK(!p->linux_->resources->memory->swap.set);
	CHECK_INT(p->caisson->isolation, PLAN_VM);
	CHECK_STR(plan_namespace_path(p, "network"), "/x");
	CHECK_STR(plan_namespace_path(p, "pid"), "");
	CHECK(!plan_namespace_path(p, "ipc"));
}

TEST(errors_name_the_path)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct plan *p = NULL;

	CHECK_INT(
	    parse("{\"ociVersion\":\"1\",\"mounts\":[{\"destination\":\"/\"},{}]}", &a, &p, &e),
	    -EBADMSG);
	CHECK_STR(e.msg, "config.json: mounts[1].destination: expected a value");
	CHECK_INT(parse("{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":-1}}}",
			&a, &p, &e),
		  -EBADMSG);
	CHECK_STR(e.msg, "config.json: process.user.uid: expected a number from 0 to 4294967295");
	CHECK_INT(parse("{\"ociVersion\":\"1\",\"ociVersion\":\"2\"}", &a, &p, &e), -EBADMSG);
	CHECK_STR(e.msg, "config.json gives a key twice in one object");
	CHECK(!p);
}

TEST(unknown_members_are_ignored_and_null_is_absent)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct plan *p = NULL;

	CHECK_INT(
	    parse("{\"ociVersion\":\"1\",\"process\":null,\"future\":{\"x\":[1]}}", &a, &p, &e), 0);
	CHECK(!p->process);
}

TEST_MAIN(T(a_plan_survives_the_round_trip_byte_for_byte), T(errors_name_the_path),
	  T(unknown_members_are_ignored_and_null_is_absent))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/passwd.h"

static const char users[] = "root:x:0:0:root:/root:/bin/sh\n"
			    "evil:x:4294967296:0::/:/bin/sh\n"
			    "neg:x:-1:0::/:/bin/sh\n"
			    "short:x\n"
			    "\n"
			    "www:x:33:33:www:/var/www:/usr/sbin/nologin";
static const char groups[] = "root:x:0:\nadm:x:4:syslog,www\nwww:x:33:\nvideo:x:44:www\n";

TEST(finds_users_by_name_and_by_id)
{
	struct passwd_user u = {0};

	CHECK(passwd_find_user(users, "www", 0, &u));
	CHECK_INT(u.uid, 33);
	CHECK_INT(u.home_len, 8);
	CHECK(memcmp(u.home, "/var/www", 8) == 0);
	CHECK(passwd_find_user(users, NULL, 0, &u));
	CHECK_INT(u.name_len, 4);
	CHECK(!passwd_find_user(users, "nobody", 0, &u));
}

TEST(ids_that_overflow_never_become_root)
{
	struct passwd_user u = {0};
	uint32_t id = 7;

	CHECK(!passwd_find_user(users, "evil", 0, &u));
	CHECK(!passwd_find_user(users, "neg", 0, &u));
	CHECK(!passwd_find_user(users, "short", 0, &u));
	CHECK(!passwd_id("4294967296", 10, &id));
	CHECK(!passwd_id("4294967295", 10, &id));
	CHECK(!passwd_id("00000000000000000000", 20, &id));
	CHECK(!passwd_id("", 0, &id));
	CHECK(!passwd_id("+1", 2, &id));
	CHECK_INT(id, 7);
	CHECK(passwd_id("4294967294", 10, &id));
}

TEST(groups_and_members)
{
	uint32_t gid = 0, gids[1];

	CHECK(passwd_find_group(groups, "video", &gid));
	CHECK_INT(gid, 44);
	CHECK(!passwd_find_group(groups, "wheel", &gid));
	CHECK_INT(passwd_member_of(groups, "www", 3, gids, 1), 2);
	CHECK_INT(gids[0], 4);
	CHECK_INT(passwd_member_of(groups, "ww", 2, gids, 1), 0);
}

TEST_MAIN(T(finds_users_by_name_and_by_id), T(ids_that_overflow_never_become_root),
	  T(groups_and_members))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "engine/usernsmode.h"

#include <errno.h>
#include <unistd.h>

static int kind(const char *s)
{
	struct usernsmode m = {0};
	struct err e = ERR_INIT;
	int r = usernsmode_parse(s, &m, &e);

	return r < 0 ? r : (int)m.kind;
}

TEST(words_and_sizes)
{
	struct usernsmode m;

	CHECK_INT(kind(NULL), USERNSMODE_HOST);
	CHECK_INT(kind(""), USERNSMODE_HOST);
	CHECK_INT(kind("host"), USERNSMODE_HOST);
	CHECK_INT(kind("auto"), USERNSMODE_AUTO);
	CHECK_INT(usernsmode_parse("auto:size=1024", &m, NULL), 0);
	CHECK_INT(m.size, 1024);
}

TEST(what_means_nothing_is_refused)
{
	static const char *const bad[] = {"hos",
					  "hostx",
					  "auto:",
					  "auto:size=",
					  "auto:size=0",
					  "auto:size=-1",
					  "auto:size=4294967296",
					  "auto:uid=1",
					  "auto:size=1,",
					  "keep-id:size=1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (kind(bad[i]) != -EINVAL)
			printf("# %s\n", bad[i]);
		CHECK_INT(kind(bad[i]), -EINVAL);
	}
	CHECK_INT(kind("container:x"), -EOPNOTSUPP);
	CHECK_INT(kind("ns:/proc/1/ns/user"), -EOPNOTSUPP);
	CHECK_INT(kind("private"), -EOPNOTSUPP);
	CHECK_INT(kind("auto:uidmapping=0:1:2"), -EOPNOTSUPP);
}

TEST(the_users_id_is_kept_for_users_only)
{
	struct usernsmode m;

	if (geteuid() == 0) {
		CHECK_INT(kind("keep-id"), -EOPNOTSUPP);
		CHECK_INT(kind("nomap"), -EOPNOTSUPP);
		return;
	}
	CHECK_INT(usernsmode_parse("keep-id:uid=200,gid=210", &m, NULL), 0);
	CHECK_INT(m.uid, 200);
	CHECK_INT(m.gid, 210);
}

TEST_MAIN(T(words_and_sizes), T(what_means_nothing_is_refused),
	  T(the_users_id_is_kept_for_users_only))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "runtime/mountopt.h"

#include <sys/mount.h>

static int parse(struct arena *a, struct mountopt *m, size_t n, const char **words)
{
	struct strs s = {.v = words, .n = n};
	struct err e = ERR_INIT;

	return mountopt_parse(&s, a, m, &e);
}

TEST(flags_go_to_the_mount_and_the_rest_to_the_file_system)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *w[] = {"nosuid", "noexec", "size=64k", "mode=1777", "ro"};
	struct mountopt m;

	CHECK_INT(parse(&a, &m, 5, w), 0);
	CHECK_INT((long long)m.set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
	CHECK_INT((long long)m.data.n, 2);
	CHECK_STR(m.data.v[0], "size=64k");
	CHECK(!m.bind);
}

TEST(the_last_of_two_opposites_wins)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *w[] = {"ro", "rw", "noatime", "strictatime"};
	struct mountopt m;

	CHECK_INT(parse(&a, &m, 4, w), 0);
	CHECK_INT((long long)(m.set & MOUNT_ATTR_RDONLY), 0);
	CHECK(m.clear & MOUNT_ATTR_RDONLY);
	CHECK_INT((long long)(m.set & MOUNT_ATTR__ATIME), MOUNT_ATTR_STRICTATIME);
	/* mount_setattr(2): the field is cleared whole or not at all. */
	CHECK_INT((long long)(m.clear & MOUNT_ATTR__ATIME), MOUNT_ATTR__ATIME);
}

TEST(recursive_words_and_propagation_keep_their_order)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *w[] = {"rbind", "rro", "rslave", "shared"};
	struct mountopt m;

	CHECK_INT(parse(&a, &m, 4, w), 0);
	CHECK(m.bind && m.recursive);
	CHECK_INT((long long)m.rset, MOUNT_ATTR_RDONLY);
	CHECK_INT((long long)m.set, 0);
	CHECK_INT((long long)m.propagations, 2);
	CHECK_INT((long long)m.propagation[0], MS_SLAVE | MS_REC);
	CHECK_INT((long long)m.propagation[1], MS_SHARED);
}

TEST(too_many_propagations_are_refused)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *w[] = {"shared", "shared", "shared", "shared", "shared",
			   "shared", "shared", "shared", "shared"};
	struct mountopt m;

	CHECK(parse(&a, &m, 9, w) < 0);
	CHECK(mountopt_propagation("rprivate") == (MS_PRIVATE | MS_REC));
	CHECK(mountopt_propagation("ro") == 0);
}

TEST_MAIN(T(flags_go_to_the_mount_and_the_rest_to_the_file_system),
	  T(the_last_of_two_opposites_wins), T(recursive_words_and_propagation_keep_their_order),
	  T(too_many_propagations_are_refused))

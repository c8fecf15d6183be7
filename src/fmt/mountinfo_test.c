/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/mountinfo.h"

TEST(fields)
{
	char text[] = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
		      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root "
		      "rw,errors=continue\n";
	struct mountinfo_entry m;
	char *p = text;

	CHECK(mountinfo_next(&p, &m));
	CHECK_INT(m.id, 31);
	CHECK_INT(m.minor, 28);
	CHECK_STR(m.tags, "");
	CHECK_STR(m.type, "tmpfs");
	CHECK(mountinfo_next(&p, &m));
	CHECK_STR(m.root, "/mnt1");
	CHECK_STR(m.tags, "master:1 shared:2");
	CHECK_STR(m.super, "rw,errors=continue");
	CHECK(!mountinfo_next(&p, &m));
}

TEST(hostile_names)
{
	char text[] = "1 2 0:1 / /a\\040-\\040cgroup2\\012x rw - tmpfs no\\134ne rw\n"
		      "1 2 0:1 / /b\\000\\9 rw - tmpfs none\n";
	struct mountinfo_entry m;
	char *p = text;

	CHECK(mountinfo_next(&p, &m));
	CHECK_STR(m.target, "/a - cgroup2\nx");
	CHECK_STR(m.source, "no\\ne");
	CHECK(mountinfo_next(&p, &m));
	CHECK_STR(m.target, "/b\\000\\9");
	CHECK_STR(m.super, "");
}

TEST(bad_lines_are_passed_over)
{
	char text[] =
	    "\nx\n1 2 3 / / rw - a b c\n1 2 0:3 / / rw\n1 2 0:3 / / rw -\n1 2 0:3 / / rw - "
	    "proc proc rw";
	struct mountinfo_entry m;
	char *p = text;

	CHECK(mountinfo_next(&p, &m));
	CHECK_STR(m.type, "proc");
	CHECK(!mountinfo_next(&p, &m));
}

TEST(words)
{
	CHECK(mountinfo_has("rw,cpu,cpuacct", "cpu"));
	CHECK(mountinfo_has("rw,cpu,cpuacct", "cpuacct"));
	CHECK(!mountinfo_has("rw,cpuset", "cpu"));
	CHECK(!mountinfo_has("", "cpu"));
}

TEST_MAIN(T(fields), T(hostile_names), T(bad_lines_are_passed_over), T(words))

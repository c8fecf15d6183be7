/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/proc_cgroup.h"

TEST(lines)
{
	char text[] = "bad\n9:name=systemd:/a:b\n4:cpu,cpuacct:/x\n-1::/\n7:x\n0::/../y";
	struct proc_cgroup c;
	char *p = text;

	CHECK(proc_cgroup_next(&p, &c));
	CHECK_INT(c.hierarchy, 9);
	CHECK_STR(c.controllers, "name=systemd");
	CHECK_STR(c.path, "/a:b");
	CHECK(proc_cgroup_next(&p, &c));
	CHECK_STR(c.controllers, "cpu,cpuacct");
	CHECK(proc_cgroup_next(&p, &c));
	CHECK_INT(c.hierarchy, 0);
	CHECK_STR(c.path, "/../y");
	CHECK(!proc_cgroup_next(&p, &c));
}

TEST_MAIN(T(lines))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "workload/work.h"

#include <errno.h>
#include <unistd.h>

TEST(cpu_depends_on_every_round)
{
	CHECK(work_cpu(1000) != work_cpu(1001));
	CHECK(work_cpu(1000) == work_cpu(1000));
}

TEST(syscalls_are_counted)
{
	CHECK_INT(work_syscalls(0), 0);
	CHECK_INT(work_syscalls(1234), 1234);
}

TEST(files_come_and_go)
{
	char dir[] = "/tmp/work_test-XXXXXX";

	CHECK(mkdtemp(dir));
	CHECK_INT(work_files(dir, 300000, 17), 0);
	CHECK_INT(work_files(dir, 0, 0), 0);
	CHECK_INT(rmdir(dir), 0);
	CHECK_INT(work_files(dir, 1, 1), -ENOENT);
}

TEST_MAIN(T(cpu_depends_on_every_round), T(syscalls_are_counted), T(files_come_and_go))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "workload/work.h"

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

TEST(memory_is_copied)
{
	CHECK(work_memory(1) > 1);
	CHECK_INT(work_memory(0), 1);
}

TEST(memory_is_held_and_given_back)
{
	CHECK_INT(work_hold(1 << 20), 0);
	CHECK_INT(work_hold(0), 0);
	CHECK(work_hold(UINT64_MAX / 2) < 0);
	CHECK_INT(work_hold(0), 0);
}

TEST_MAIN(T(cpu_depends_on_every_round), T(syscalls_are_counted), T(memory_is_copied),
	  T(memory_is_held_and_given_back))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "workload/workdisk.h"

#include <errno.h>
#include <unistd.h>

TEST(files_come_and_go)
{
	char dir[] = "/tmp/workdisk_test-XXXXXX";

	CHECK(mkdtemp(dir));
	CHECK_INT(workdisk_open(dir), 0);
	CHECK_INT(workdisk_read(1), -ENOENT);
	CHECK_INT(workdisk_write(300000), 0);
	CHECK_INT(workdisk_read(1000000), 0);
	CHECK_INT(workdisk_random_read(100), 0);
	CHECK_INT(workdisk_random_write(200), 0);
	CHECK_INT(workdisk_read(1), -EIO); /* the writes were there */
	CHECK_INT(workdisk_names(17), 0);
	CHECK_INT(workdisk_write(0), 0);
	CHECK_INT(workdisk_random_read(1), -ENODATA);
	CHECK_INT(workdisk_read(1), -ENODATA);
	workdisk_close();
	CHECK_INT(rmdir(dir), 0);
	CHECK_INT(workdisk_open(dir), -ENOENT);
}

TEST_MAIN(T(files_come_and_go))

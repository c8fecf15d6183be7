/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/fusemarks.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	close(fd);
}

TEST(names)
{
	CHECK_STR(fusemarks_whiteout(".wh.passwd"), "passwd");
	CHECK_STR(fusemarks_whiteout(".wh..hidden"), ".hidden");
	CHECK_STR(fusemarks_whiteout(".wh..wh..opq"), "");
	CHECK_STR(fusemarks_whiteout(".wh..opq"), "");
	CHECK(!fusemarks_whiteout(".whx"));
	CHECK(!fusemarks_whiteout("passwd"));
	CHECK(fusemarks_xattr("user.fuseoverlayfs.origin"));
	CHECK(fusemarks_xattr("user.overlay.opaque"));
	CHECK(!fusemarks_xattr("user.mine"));
}

TEST(a_directory_of_marks_is_empty_and_opaque)
{
	char dir[] = "/tmp/caisson-marks-XXXXXX";
	auto_fd int fd = -1;

	CHECK(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(!fusemarks_opaque(fd));
	CHECK(fusemarks_empty(fd, true));
	touch(fd, ".wh..wh..opq");
	CHECK(fusemarks_opaque(fd));
	touch(fd, ".wh.gone");
	CHECK(!fusemarks_empty(fd, true));
	CHECK(fusemarks_opaque(fd));
	CHECK(unlinkat(fd, ".wh.gone", 0) == 0);
	CHECK(fusemarks_empty(fd, false));
	CHECK(fusemarks_opaque(fd));
	CHECK(fusemarks_empty(fd, true));
	CHECK(rmdir(dir) == 0);
}

TEST_MAIN(T(names), T(a_directory_of_marks_is_empty_and_opaque))

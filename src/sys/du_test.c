/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/du.h"
#include "sys/path.h"

#include <fcntl.h>
#include <sys/stat.h>

static uint64_t of(const char *dir)
{
	uint64_t n = 0;

	/* A failure is a size that no check accepts. */
	return du_add(AT_FDCWD, dir, &n) == 0 ? n : UINT64_MAX / 2;
}

static void fill(int dir, const char *name, size_t n)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	auto_free char *b = calloc(1, n + 1);

	CHECK(fd >= 0 && b);
	CHECK_INT(write(fd, b, n), (long long)n);
	CHECK_INT(fsync(fd), 0);
}

TEST(links_count_once_and_holes_nothing)
{
	char dir[] = "/tmp/caisson-du-XXXXXX";
	auto_fd int fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	auto_fd int hole = -1;
	uint64_t empty = of(dir), one;

	fill(fd, "a", 1 << 20);
	one = of(dir);
	CHECK(one - empty >= 1 << 20 && one - empty < (1 << 20) + 65536);
	CHECK_INT(linkat(fd, "a", fd, "b", 0), 0);
	CHECK_INT(symlinkat("/usr", fd, "c"), 0);
	CHECK(of(dir) - one <= 4096);
	one = of(dir);
	hole = openat(fd, "hole", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(ftruncate(hole, 1 << 30), 0);
	CHECK(of(dir) - one <= 4096);
	path_remove(AT_FDCWD, dir);
	CHECK_INT(of(dir), 0);
}

TEST(depth_does_not_need_descriptors)
{
	char dir[] = "/tmp/caisson-du-XXXXXX";
	int fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	uint64_t before;

	for (int i = 0; i < 3000; i++) {
		int down;

		CHECK_INT(mkdirat(fd, "d", 0700), 0);
		down = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = down;
	}
	before = of(dir);
	fill(fd, "deep", 1 << 20);
	close(fd);
	CHECK(of(dir) - before >= 1 << 20);
	CHECK_INT(path_remove(AT_FDCWD, dir), 0);
}

TEST_MAIN(T(links_count_once_and_holes_nothing), T(depth_does_not_need_descriptors))

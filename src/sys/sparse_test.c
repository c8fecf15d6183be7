/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/sparse.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int seen(const void *data, size_t len, uint64_t at, void *arg)
{
	uint64_t *sum = arg;

	(void)data;
	(void)len;
	*sum = *sum * 31 + at / SPARSE_BLOCK + 1;
	return 0;
}

TEST(a_copy_is_the_same_and_has_the_holes)
{
	auto_fd int from = memfd_create("from", MFD_CLOEXEC);
	auto_fd int to = memfd_create("to", MFD_CLOEXEC);
	struct stat a, b;
	uint64_t x = 0, y = 0;
	char c[4];

	CHECK_INT(ftruncate(from, 100 << 20), 0);
	CHECK_INT(pwrite(from, "one", 3, 70000), 3);
	CHECK_INT(pwrite(from, "two", 3, 50 << 20), 3);
	CHECK_INT(pwrite(from, "\0\0\0", 3, 60 << 20), 3);
	CHECK_INT(sparse_copy(from, to), 0);
	CHECK_INT(fstat(from, &a), 0);
	CHECK_INT(fstat(to, &b), 0);
	CHECK_INT(a.st_size, b.st_size);
	CHECK(b.st_blocks < 8192);
	CHECK_INT(pread(to, c, 3, 50 << 20), 3);
	CHECK(!memcmp(c, "two", 3));
	CHECK_INT(sparse_each(from, seen, &x), 0);
	CHECK_INT(sparse_each(to, seen, &y), 0);
	/* Blocks 1 and 800; the one of zeros is no block. */
	CHECK_INT(x, (uint64_t)2 * 31 + 801);
	CHECK_INT(x, y);
}

TEST(an_empty_file_has_nothing)
{
	auto_fd int fd = memfd_create("empty", MFD_CLOEXEC);
	uint64_t x = 7;

	CHECK_INT(sparse_each(fd, seen, &x), 0);
	CHECK_INT(x, 7);
}

TEST_MAIN(T(a_copy_is_the_same_and_has_the_holes), T(an_empty_file_has_nothing))

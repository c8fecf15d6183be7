/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "vmm/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

TEST(extents_follow_each_other)
{
	const struct disk_extent v[] = {{6, 4096}, {7, 1u << 20}};
	auto_buf struct buf b = BUF_INIT(4096);

	disk_vmdk(v, 2, &b);
	CHECK(strstr(b.p, "createType=\"monolithicFlat\"\n"));
	CHECK(!strstr(b.p, "\n\n"));
	CHECK(strstr(b.p, "\nRW 8 FLAT \"/dev/fdset/6\" 0\nRW 2048 FLAT \"/dev/fdset/7\" 0\n"));
}

TEST(the_text_is_read_only)
{
	auto_buf struct buf b = BUF_INIT(64);
	char got[8] = {0};
	int fd;

	buf_puts(&b, "abc");
	fd = disk_text(&b, NULL);
	CHECK(fd >= 0);
	CHECK_INT(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_INT(pread(fd, got, sizeof(got), 0), 3);
	CHECK_STR(got, "abc");
	close(fd);
}

TEST(a_file_of_odd_size_is_corrupt)
{
	char path[] = "/tmp/disk-XXXXXX";
	const char *names[] = {path, NULL};
	struct strs files = {names, 1};
	struct err e = ERR_INIT;
	uint64_t bytes[1];
	int fds[1] = {-1}, fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK_INT(disk_open(&files, fds, bytes, &e), -EBADMSG);
	close(fds[0]);
	CHECK_INT(ftruncate(fd, 1000), 0);
	CHECK_INT(disk_open(&files, fds, bytes, &e), -EBADMSG);
	close(fds[0]);
	CHECK_INT(ftruncate(fd, 8192), 0);
	CHECK_INT(disk_open(&files, fds, bytes, &e), 0);
	CHECK(bytes[0] == 8192);
	close(fds[0]);
	close(fd);
	unlink(path);
	CHECK_INT(disk_open(&files, fds, bytes, &e), -ENOENT);
}

TEST_MAIN(T(extents_follow_each_other), T(the_text_is_read_only), T(a_file_of_odd_size_is_corrupt))

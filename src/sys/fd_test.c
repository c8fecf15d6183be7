/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int memory(const void *data, size_t len)
{
	int fd = memfd_create("fd_test", MFD_CLOEXEC);

	if (fd >= 0 && (fd_write_all(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		return -1;
	return fd;
}

TEST(slurp_reads_files_of_any_size)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 100000};
	static char data[100000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		auto_fd int fd = memory(data, sizes[i]);
		auto_free char *p = NULL;

		CHECK_INT(fd_slurp(fd, sizes[i], &p), sizes[i]);
		CHECK(!memcmp(p, data, sizes[i]));
		CHECK_INT(p[sizes[i]], 0);
	}
}

TEST(slurp_has_a_limit)
{
	auto_fd int fd = memory("12345", 5);
	auto_fd int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char *p = NULL;

	CHECK_INT(fd_slurp(fd, 4, &p), -EFBIG);
	CHECK_INT(fd_slurp(zero, 1 << 20, &p), -EFBIG);
	CHECK(!p);
}

TEST(slurp_reads_proc)
{
	auto_fd int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	auto_free char *p = NULL;

	CHECK(fd_slurp(fd, 1 << 20, &p) > 100);
	CHECK(!strncmp(p, "Name:", 5));
}

TEST(copy_goes_on_where_the_file_stands)
{
	auto_fd int from = memory("0123456789", 10);
	auto_fd int to = memory("", 0);
	auto_fd int proc = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char b[16] = "";

	CHECK_INT(lseek(from, 4, SEEK_SET), 4);
	CHECK_INT(fd_copy(from, to), 6);
	CHECK_INT(fd_copy(from, to), 0);
	CHECK_INT(pread(to, b, sizeof(b), 0), 6);
	CHECK(!memcmp(b, "456789", 6));
	CHECK(fd_copy(proc, to) > 10);
}

TEST(copy_between_pipes_falls_back)
{
	int a[2], b[2];
	char got[8] = "";

	CHECK_INT(pipe2(a, O_CLOEXEC), 0);
	CHECK_INT(pipe2(b, O_CLOEXEC), 0);
	CHECK_INT(fd_write_all(a[1], "hello", 5), 0);
	close(a[1]);
	CHECK_INT(fd_copy(a[0], b[1]), 5);
	close(b[1]);
	CHECK_INT(fd_read_full(b[0], got, sizeof(got)), 5);
	CHECK_STR(got, "hello");
	close(a[0]);
	close(b[0]);
}

TEST(read_full_joins_short_reads)
{
	int p[2], status;
	char got[11] = "";
	pid_t pid;

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 10; i++) {
			if (write(p[1], "x", 1) != 1)
				_exit(1);
			sched_yield();
		}
		_exit(0);
	}
	close(p[1]);
	CHECK_INT(fd_read_full(p[0], got, 10), 10);
	CHECK_STR(got, "xxxxxxxxxx");
	CHECK_INT(fd_read_full(p[0], got, 10), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	close(p[0]);
	CHECK_INT(fd_read_full(-1, got, 1), -EBADF);
	CHECK_INT(fd_write_all(-1, "x", 1), -EBADF);
}

TEST(sealed_memory_cannot_be_changed)
{
	auto_fd int fd = fd_sealed("sealed", "plan", 4);
	char b[5] = "";

	CHECK(fd >= 0);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_INT(fd_read_full(fd, b, 4), 4);
	CHECK_STR(b, "plan");
	CHECK(pwrite(fd, "X", 1, 0) < 0 && errno == EPERM);
	CHECK(ftruncate(fd, 0) < 0 && errno == EPERM);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	CHECK(mmap(NULL, 4, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
}

/* Runs in a child, since it touches every descriptor. */
static int ranges(void)
{
	int fd = fcntl(open("/dev/null", O_RDONLY), F_DUPFD, 700), low = dup(0);

	if (fd < 700 || fcntl(fd, F_GETFD) != 0)
		return 1;
	if (fd_cloexec_from(500) < 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return 2;
	if (fcntl(low, F_GETFD) != 0)
		return 3;
	if (fd_close_from(500) < 0 || fcntl(fd, F_GETFD) != -1)
		return 4;
	return fcntl(low, F_GETFD) == 0 ? 0 : 5;
}

TEST(ranges_of_descriptors)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(ranges());
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(flags_are_set_and_cleared)
{
	auto_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK_INT(fd_set_cloexec(fd, 0), 0);
	CHECK_INT(fcntl(fd, F_GETFD), 0);
	CHECK_INT(fd_set_cloexec(fd, 1), 0);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_INT(fd_set_nonblock(fd, 1), 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK_INT(fd_set_nonblock(fd, 0), 0);
	CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK_INT(fd_set_nonblock(-1, 1), -EBADF);
}

TEST(close_keeps_errno)
{
	errno = ENOSPC;
	fd_close(-1);
	fd_close(9999);
	CHECK_INT(errno, ENOSPC);
}

TEST(close_but_keeps_what_is_named)
{
	const int keep[] = {205, -1, 202};
	auto_fd int fd = memory("x", 1);

	for (int at = 200; at < 208; at++)
		CHECK_INT(dup2(fd, at), at);
	CHECK_INT(fd_close_but(200, keep, 3), 0);
	for (int at = 200; at < 208; at++)
		CHECK_INT(fcntl(at, F_GETFD) >= 0, at == 202 || at == 205);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(202);
	close(205);
}

TEST_MAIN(T(slurp_reads_files_of_any_size), T(slurp_has_a_limit), T(slurp_reads_proc),
	  T(copy_goes_on_where_the_file_stands), T(copy_between_pipes_falls_back),
	  T(read_full_joins_short_reads), T(sealed_memory_cannot_be_changed),
	  T(ranges_of_descriptors), T(close_but_keeps_what_is_named), T(flags_are_set_and_cleared),
	  T(close_keeps_errno))

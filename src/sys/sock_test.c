/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/path.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char dir_name[64];

static int dir_new(void)
{
	snprintf(dir_name, sizeof(dir_name), "/tmp/sock_test-XXXXXX");
	return mkdtemp(dir_name) ? open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

TEST(listen_and_connect_below_a_long_directory)
{
	int top = dir_new(), dir, s, c, a;
	char name[200];
	struct stat st;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	CHECK_INT(mkdirat(top, name, 0755), 0);
	dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(sock_connect(dir, "ctl"), -ENOENT);
	s = sock_listen(dir, "ctl", 0600);
	CHECK(s >= 0);
	CHECK_INT(fstatat(dir, "ctl", &st, 0), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	CHECK_INT(sock_listen(dir, "ctl", 0600), -EADDRINUSE);
	c = sock_connect(dir, "ctl");
	CHECK(c >= 0);
	CHECK_INT(fcntl(c, F_GETFD), FD_CLOEXEC);
	a = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	CHECK_INT(write(c, "x", 1), 1);
	close(s);
	close(c);
	close(a);
	CHECK_INT(sock_connect(dir, "ctl"), -ECONNREFUSED);
	CHECK_INT(sock_connect(dir, name), -ENAMETOOLONG);
	close(dir);
	close(top);
	CHECK_INT(path_remove(AT_FDCWD, dir_name), 0);
}

/* Lowest free descriptor number: tells whether descriptors were closed. */
static int lowest(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

TEST(descriptors_travel)
{
	int s[2], p[2], got[4] = {-1, -1, -1, -1};
	size_t n = 4;
	char b[8] = "";

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(sock_send_fds(s[0], "hi", 2, p, 2), 0);
	CHECK_INT(sock_recv_fds(s[1], b, sizeof(b), got, &n), 2);
	CHECK_INT(n, 2);
	CHECK_STR(b, "hi");
	CHECK_INT(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	CHECK_INT(write(got[1], "y", 1), 1);
	CHECK_INT(read(p[0], b, 1), 1);
	CHECK_INT(b[0], 'y');
	close(got[0]);
	close(got[1]);
	n = 4;
	CHECK_INT(sock_send_fds(s[0], "z", 1, NULL, 0), 0);
	CHECK_INT(sock_recv_fds(s[1], b, sizeof(b), got, &n), 1);
	CHECK_INT(n, 0);
	close(s[0]);
	n = 4;
	CHECK_INT(sock_recv_fds(s[1], b, sizeof(b), got, &n), 0);
	CHECK_INT(n, 0);
	close(s[1]);
	close(p[0]);
	close(p[1]);
}

TEST(too_many_descriptors_are_all_closed)
{
	int s[2], fds[SOCK_FDS_MAX], got[SOCK_FDS_MAX], before;
	size_t n = 2;
	char b;

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	for (int i = 0; i < SOCK_FDS_MAX; i++)
		fds[i] = 0;
	before = lowest();
	CHECK_INT(sock_send_fds(s[0], "x", 1, fds, 5), 0);
	CHECK_INT(sock_recv_fds(s[1], &b, 1, got, &n), -E2BIG);
	CHECK_INT(n, 0);
	CHECK_INT(lowest(), before);
	n = SOCK_FDS_MAX;
	CHECK_INT(sock_send_fds(s[0], "x", 1, fds, SOCK_FDS_MAX), 0);
	CHECK_INT(sock_recv_fds(s[1], &b, 1, got, &n), 1);
	CHECK_INT(n, SOCK_FDS_MAX);
	for (size_t i = 0; i < n; i++)
		close(got[i]);
	CHECK_INT(sock_send_fds(s[0], "x", 1, fds, SOCK_FDS_MAX + 1), -EINVAL);
	CHECK_INT(sock_send_fds(s[0], "", 0, fds, 1), -EINVAL);
	close(s[1]);
	CHECK_INT(sock_send_fds(s[0], "x", 1, NULL, 0), -EPIPE);
	close(s[0]);
}

TEST_MAIN(T(listen_and_connect_below_a_long_directory), T(descriptors_travel),
	  T(too_many_descriptors_are_all_closed))

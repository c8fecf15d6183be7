/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <sys/wait.h>

TEST(descriptors_arrive_where_they_were_asked_for)
{
	static const char *const argv[] = {
	    "sh", "-c", "echo 1 >&4; echo 2 >&3; ls /proc/self/fd | wc -l >&3", NULL};
	char out[64] = "";
	int a[2], b[2], status = -1;
	pid_t pid;

	CHECK_INT(pipe2(a, O_CLOEXEC), 0);
	CHECK_INT(pipe2(b, O_CLOEXEC), 0);
	{
		/* Crossing numbers on purpose: the write ends are likely 4 and 6. */
		struct child_fd fds[] = {{b[1], 3}, {a[1], 4}};
		struct child_opts o = {
		    .path = "/bin/sh", .argv = argv, .fds = fds, .nfds = 2, .env = child_environ()};

		pid = child_start(&o);
	}
	CHECK(pid > 0);
	close(a[1]);
	close(b[1]);
	CHECK_INT(child_wait(pid, &status), 0);
	CHECK_INT(status, 0);
	CHECK_INT(fd_read_full(a[0], out, sizeof(out) - 1), 2);
	CHECK_STR(out, "1\n");
	memset(out, 0, sizeof(out));
	CHECK(fd_read_full(b[0], out, sizeof(out) - 1) > 2);
	/* 0 to 4, and the directory ls has open itself. */
	CHECK_STR(out, "2\n6\n");
	close(a[0]);
	close(b[0]);
}

TEST(missing_program_is_reported)
{
	static const char *const argv[] = {"x", NULL};
	struct child_opts o = {.path = "/nonexistent/x", .argv = argv};

	CHECK_INT(child_start(&o), -ENOENT);
}

TEST_MAIN(T(descriptors_arrive_where_they_were_asked_for), T(missing_program_is_reported))

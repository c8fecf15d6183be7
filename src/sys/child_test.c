/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdlib.h>
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

static ssize_t talk(const char *script, int ms, char **out, int *status)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct child_opts o = {.path = "/bin/sh", .argv = argv, .env = child_environ()};
	struct child_talk t = {.in = "ping\n", .in_len = 5, .max = 1000, .ms = ms};

	return child_talk(&o, &t, out, status);
}

TEST(a_child_is_talked_to_within_bounds)
{
	char path[256];
	char *out = NULL;
	int status = -1;

	CHECK_INT(talk("cat; exit 3", 20000, &out, &status), 5);
	CHECK_STR(out, "ping\n");
	CHECK_INT(WEXITSTATUS(status), 3);
	free(out);
	CHECK_INT(talk("yes", 20000, &out, &status), -EFBIG);
	CHECK_INT(talk("exec sleep 60", 100, &out, &status), -ETIMEDOUT);
	CHECK_INT(talk("exec >/dev/null; exec sleep 60", 100, &out, &status), -ETIMEDOUT);
	CHECK_INT(child_find("sh", "relative:/nonexistent:/bin", path, sizeof(path)), 0);
	CHECK_STR(path, "/bin/sh");
	CHECK_INT(child_find("no-such-program", "/bin:", path, sizeof(path)), -ENOENT);
	CHECK_INT(child_find("sh", NULL, path, sizeof(path)), -ENOENT);
}

TEST_MAIN(T(a_child_is_talked_to_within_bounds), T(descriptors_arrive_where_they_were_asked_for),
	  T(missing_program_is_reported))

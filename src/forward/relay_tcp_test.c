/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "forward/pump.h"
#include "forward/relay_tcp.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int bound(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, &len) < 0)
		abort();
	return fd;
}

/* The forwarder in a process of its own. */
static pid_t forward(int fd, const struct sockaddr_in *to)
{
	pid_t pid = fork();
	struct pump p;

	if (pid)
		return pid;
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (pump_init(&p) == 0 && relay_tcp_add(&p, fd, to) == 0)
		pump_run(&p);
	_exit(1);
}

/* Connect as soon as somebody listens. */
static int call(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 500; i++) {
		if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
			return fd;
		poll(NULL, 0, 10);
	}
	close(fd);
	return -1;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(bytes_and_half_closed_ends_go_both_ways)
{
	struct sockaddr_in front, back;
	int f = bound(&front), b = bound(&back), fd, in;
	pid_t pid = forward(f, &back);
	char text[16] = "";

	CHECK(listen(b, 1) == 0);
	close(f);
	fd = call(&front);
	CHECK(fd >= 0);
	in = accept(b, NULL, NULL);
	CHECK(in >= 0);
	CHECK_INT(send(fd, "ask", 3, 0), 3);
	CHECK_INT(recv(in, text, 3, MSG_WAITALL), 3);
	CHECK_STR(text, "ask");
	shutdown(fd, SHUT_WR);
	CHECK_INT(recv(in, text, 1, 0), 0);
	/* The other way is still open. */
	CHECK_INT(send(in, "answer", 6, 0), 6);
	close(in);
	CHECK_INT(recv(fd, text, sizeof(text), MSG_WAITALL), 6);
	close(fd);
	close(b);
	stop(pid);
}

TEST(more_than_a_pipe_holds_waits_for_a_slow_reader)
{
	static char data[4 << 20], got[4 << 20];
	struct sockaddr_in front, back;
	int f = bound(&front), b = bound(&back), fd, in;
	pid_t pid = forward(f, &back), writer;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 1000);
	CHECK(listen(b, 1) == 0);
	close(f);
	fd = call(&front);
	CHECK(fd >= 0);
	in = accept(b, NULL, NULL);
	writer = fork();
	if (writer == 0)
		_exit(send(fd, data, sizeof(data), 0) != (ssize_t)sizeof(data));
	close(fd);
	poll(NULL, 0, 50);
	CHECK_INT(recv(in, got, sizeof(got), MSG_WAITALL), (long long)sizeof(got));
	CHECK(memcmp(data, got, sizeof(got)) == 0);
	CHECK_INT(recv(in, got, 1, 0), 0);
	waitpid(writer, NULL, 0);
	close(in);
	close(b);
	stop(pid);
}

static void reset(int fd)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

TEST(who_is_gone_is_gone_for_the_other_side)
{
	struct sockaddr_in front, back;
	int f = bound(&front), b = bound(&back);
	pid_t pid = forward(f, &back);
	char c;

	CHECK(listen(b, 1) == 0);
	close(f);
	/* Also after he had said all he had to say, and while nobody says anything. */
	for (int half = 0; half < 2; half++) {
		int fd = call(&front), in = accept(b, NULL, NULL), i;

		CHECK(fd >= 0 && in >= 0);
		if (half) {
			shutdown(fd, SHUT_WR);
			CHECK_INT(recv(in, &c, 1, 0), 0);
		}
		reset(fd);
		if (!half)
			CHECK(recv(in, &c, 1, 0) <= 0);
		for (i = 0; i < 500 && send(in, "x", 1, MSG_NOSIGNAL) == 1; i++)
			poll(NULL, 0, 10);
		CHECK(i < 500);
		close(in);
	}
	close(b);
	stop(pid);
}

/* The caller has said all, the instance too, and what the caller said is not read yet. */
TEST(what_is_underway_arrives_when_both_have_ended)
{
	static char data[4 << 20], got[4 << 20];
	struct sockaddr_in front, back;
	int f = bound(&front), b = bound(&back), fd, in;
	pid_t pid = forward(f, &back), writer;
	char c;

	memset(data, 'd', sizeof(data));
	CHECK(listen(b, 1) == 0);
	close(f);
	fd = call(&front);
	in = accept(b, NULL, NULL);
	CHECK(fd >= 0 && in >= 0);
	writer = fork();
	if (writer == 0)
		_exit(send(fd, data, sizeof(data), 0) != (ssize_t)sizeof(data));
	shutdown(in, SHUT_WR);
	CHECK_INT(recv(fd, &c, 1, 0), 0);
	close(fd);
	poll(NULL, 0, 50);
	CHECK_INT(recv(in, got, sizeof(got), MSG_WAITALL), (long long)sizeof(got));
	CHECK(memcmp(data, got, sizeof(got)) == 0);
	CHECK_INT(recv(in, got, 1, 0), 0);
	waitpid(writer, NULL, 0);
	close(in);
	close(b);
	stop(pid);
}

TEST(who_calls_an_instance_that_does_not_listen_is_reset)
{
	struct sockaddr_in front, back;
	int f = bound(&front), b = bound(&back), fd;
	pid_t pid = forward(f, &back);
	char c;

	close(f);
	fd = call(&front);
	CHECK(fd >= 0);
	CHECK_INT(recv(fd, &c, 1, 0), -1);
	close(fd);
	close(b);
	stop(pid);
}

TEST_MAIN(T(bytes_and_half_closed_ends_go_both_ways),
	  T(more_than_a_pipe_holds_waits_for_a_slow_reader),
	  T(who_is_gone_is_gone_for_the_other_side),
	  T(what_is_underway_arrives_when_both_have_ended),
	  T(who_calls_an_instance_that_does_not_listen_is_reset))

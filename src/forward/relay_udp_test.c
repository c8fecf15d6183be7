/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "forward/pump.h"
#include "forward/relay_udp.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int bound(struct sockaddr_in *at)
{
	struct timeval patience = {.tv_sec = 5};
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*at =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, &len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		abort();
	return fd;
}

static pid_t forward(int fd, const struct sockaddr_in *to)
{
	pid_t pid = fork();
	struct pump p;

	if (pid)
		return pid;
	if (pump_init(&p) == 0 && relay_udp_add(&p, fd, to) == 0)
		pump_run(&p);
	_exit(1);
}

TEST(each_sender_gets_the_answers_to_his_own)
{
	struct sockaddr_in front, back, at[2], seen[2];
	int f = bound(&front), b = bound(&back), fd[2];
	pid_t pid = forward(f, &back);
	socklen_t len;
	char text[16];

	for (int i = 0; i < 2; i++) {
		char ask = (char)('a' + i);

		fd[i] = bound(&at[i]);
		CHECK_INT(sendto(fd[i], &ask, 1, 0, (struct sockaddr *)&front, sizeof(front)), 1);
		len = sizeof(seen[i]);
		CHECK_INT(recvfrom(b, text, sizeof(text), 0, (struct sockaddr *)&seen[i], &len), 1);
		CHECK_INT(text[0], ask);
	}
	CHECK(seen[0].sin_port != seen[1].sin_port);
	for (int i = 1; i >= 0; i--) {
		char answer[2] = {'A', (char)('a' + i)};

		CHECK_INT(sendto(b, answer, 2, 0, (struct sockaddr *)&seen[i], sizeof(seen[i])), 2);
		len = sizeof(front);
		CHECK_INT(recvfrom(fd[i], text, sizeof(text), 0, NULL, NULL), 2);
		CHECK_INT(text[1], 'a' + i);
	}
	/* An empty datagram is one too. */
	CHECK_INT(sendto(fd[0], "", 0, 0, (struct sockaddr *)&front, sizeof(front)), 0);
	CHECK_INT(recv(b, text, sizeof(text), 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST_MAIN(T(each_sender_gets_the_answers_to_his_own))

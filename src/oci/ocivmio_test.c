/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "oci/ocivmio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char data[OCIVMIO_WINDOW + 1];

TEST(output_waits_for_its_reader_and_is_bounded)
{
	struct ocivmio io;
	char got[4096];
	size_t total = 0;
	int p[2];

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	ocivmio_open(&io, -1, p[1], -1);
	CHECK_INT(ocivmio_output(&io, 0, data, OCIVMIO_WINDOW + 1), -EBADMSG);
	CHECK_INT(ocivmio_output(&io, 0, data, OCIVMIO_WINDOW), 0);
	CHECK_INT(ocivmio_output(&io, 0, data, 1), -EBADMSG);
	ocivmio_flush(&io); /* returns, although the pipe is full */
	CHECK(!ocivmio_drained(&io));
	CHECK(io.ungranted > 0 && io.ungranted < OCIVMIO_WINDOW);
	CHECK_INT(ocivmio_output(&io, 0, NULL, 0), 0);
	for (;;) {
		ssize_t n = read(p[0], got, sizeof(got));

		if (n <= 0)
			break;
		total += (size_t)n;
		ocivmio_flush(&io);
	}
	CHECK_INT(total, OCIVMIO_WINDOW);
	CHECK(ocivmio_drained(&io));
	CHECK_INT(ocivmio_output(&io, 0, data, 1), -EBADMSG); /* after its end of file */
	ocivmio_close(&io);
	close(p[0]);
}

TEST(without_a_reader_output_is_dropped_and_granted)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct ocivmio io;
	int p[2], s[2];

	sigaction(SIGPIPE, &ignore, NULL);
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	close(p[0]);
	ocivmio_open(&io, -1, p[1], s[0]);
	close(s[1]);
	CHECK(io.in_eof);
	CHECK_INT(ocivmio_output(&io, 0, data, 100), 0);
	CHECK_INT(ocivmio_output(&io, 1, data, 10), 0);
	ocivmio_flush(&io);
	CHECK(ocivmio_drained(&io));
	CHECK_INT(io.ungranted, 110);
	ocivmio_close(&io);
}

TEST(input_stops_at_the_window_and_leaves_the_modes_of_others_alone)
{
	struct ocivmio io;
	struct pollfd q[3];
	char got[64];
	int p[2], other;

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	other = dup(p[0]);
	ocivmio_open(&io, p[0], -1, -1);
	CHECK_INT(fcntl(other, F_GETFL) & O_NONBLOCK, 0);
	CHECK_INT(ocivmio_input(&io, got, sizeof(got)), 0);
	CHECK(!io.in_eof);
	CHECK_INT(write(p[1], "abcdef", 6), 6);
	io.may_send = 4;
	CHECK_INT(ocivmio_input(&io, got, sizeof(got)), 4);
	ocivmio_poll(&io, true, q);
	CHECK_INT(q[0].fd, -1);
	io.may_send = 10;
	CHECK_INT(ocivmio_input(&io, got, sizeof(got)), 2);
	close(p[1]);
	CHECK_INT(ocivmio_input(&io, got, sizeof(got)), 0);
	CHECK(io.in_eof);
	close(other);
	ocivmio_close(&io);
}

TEST_MAIN(T(output_waits_for_its_reader_and_is_bounded),
	  T(without_a_reader_output_is_dropped_and_granted),
	  T(input_stops_at_the_window_and_leaves_the_modes_of_others_alone))

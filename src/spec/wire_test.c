/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "spec/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Feed n bytes, `step` at a time, as a slow stream would. */
static int feed(struct wire_reader *r, const char *p, size_t n, size_t step,
		struct wire_frame *last, struct err *e)
{
	int frames = 0;

	while (n) {
		size_t room, take = step < n ? step : n;
		unsigned char *to = wire_room(r, &room);
		int got;

		if (take > room)
			take = room;
		memcpy(to, p, take);
		wire_fed(r, take);
		p += take;
		n -= take;
		while ((got = wire_next(r, last, e)) > 0)
			frames++;
		if (got < 0)
			return got;
	}
	return frames;
}

TEST(frames_survive_any_cut)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	static char big[100000];
	struct err e = ERR_INIT;

	wire_put(&b, WIRE_STDIN, 7, "hi", 2);
	wire_put(&b, WIRE_STDOUT, 7, NULL, 0);
	wire_put(&b, WIRE_START, 1, big, sizeof(big));
	for (size_t step = 1; step < 70000; step = step * 5 + 1) {
		struct wire_reader r = WIRE_READER_INIT;
		struct wire_frame f = {0};

		CHECK_INT(feed(&r, b.p, b.len, step, &f, &e), 3);
		CHECK_INT(f.type, WIRE_START);
		CHECK_INT(f.len, sizeof(big));
		wire_reader_done(&r);
	}
}

TEST(oversized_frame_is_refused_without_memory)
{
	struct wire_reader r = WIRE_READER_INIT;
	unsigned char h[WIRE_HEADER];
	struct wire_frame f;
	struct err e = ERR_INIT;

	wire_header(h, WIRE_STDIN, 0, 0xffffffff);
	CHECK_INT(feed(&r, (char *)h, sizeof(h), sizeof(h), &f, &e), -EBADMSG);
	CHECK(r.cap <= 65536);
	CHECK_INT(wire_next(&r, &f, &e), -EBADMSG);
	wire_reader_done(&r);
}

TEST(send_and_receive_over_a_socket)
{
	struct wire_reader r = WIRE_READER_INIT;
	struct wire_frame f;
	struct err e = ERR_INIT, got = ERR_INIT;
	int s[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	err_set(&e, ERR_NOT_FOUND, "no\x1b[31m such");
	CHECK_INT(wire_send(s[0], WIRE_ERR, 3, &e, sizeof(e), NULL), 0);
	close(s[0]);
	CHECK_INT(wire_recv(s[1], &r, &f, &got), 1);
	CHECK_INT(wire_err(&f, &got), -ENOENT);
	CHECK_STR(got.msg, "no [31m such");
	CHECK_INT(wire_recv(s[1], &r, &f, &got), 0);
	close(s[1]);
	wire_reader_done(&r);
}

TEST(a_reader_that_is_gone_is_an_error_and_no_signal)
{
	struct wire_reader r = WIRE_READER_INIT;
	struct err e = ERR_INIT;
	struct wire_frame f;
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	close(pair[1]);
	CHECK_INT(wire_send(pair[0], WIRE_STDIN, 3, "x", 1, &e), -EPIPE);
	CHECK(strstr(e.msg, "control stream"));
	close(pair[0]);
	/* A pipe will do, too. */
	CHECK(pipe2(pair, O_CLOEXEC) == 0);
	CHECK_INT(wire_send(pair[1], WIRE_STDIN, 3, "x", 1, &e), 0);
	CHECK_INT(wire_recv(pair[0], &r, &f, &e), 1);
	CHECK_INT(f.len, 1);
	wire_reader_done(&r);
	close(pair[0]);
	close(pair[1]);
}

TEST_MAIN(T(a_reader_that_is_gone_is_an_error_and_no_signal), T(frames_survive_any_cut),
	  T(oversized_frame_is_refused_without_memory), T(send_and_receive_over_a_socket))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/test.h"
#include "sys/sdjournal.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un where = {.sun_family = AF_UNIX};

/* The other side, as journald opens it. */
static int listener(void)
{
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(where.sun_path, sizeof(where.sun_path), "/tmp/sdjournal_test-%d", (int)getpid());
	unlink(where.sun_path);
	return s < 0 || bind(s, (struct sockaddr *)&where, sizeof(where)) < 0 ? -1 : s;
}

TEST(a_field_carries_any_bytes)
{
	auto_buf struct buf b = BUF_INIT(100);

	sdjournal_field(&b, "MESSAGE", "a\n\0b", 4);
	CHECK_INT(b.len, 8 + 8 + 4 + 1);
	CHECK(memcmp(b.p, "MESSAGE\n\4\0\0\0\0\0\0\0a\n\0b\n", b.len) == 0);
}

TEST(small_ones_travel_in_a_datagram_large_ones_in_a_sealed_memfd)
{
	auto_fd int s = listener(), c = sdjournal_open(where.sun_path), mem = -1;
	static char big[64 << 10], got[64 << 10];
	char data[16];
	size_t n = 1;
	int size = 4096;

	CHECK(s >= 0);
	CHECK(c >= 0);
	CHECK_INT(sdjournal_send(c, where.sun_path, "A=b\n", 4), 0);
	CHECK_INT(sock_recv_fds(s, data, sizeof(data), &mem, &n), 4);
	CHECK_INT(n, 0);
	memset(big, 'x', sizeof(big));
	CHECK_INT(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	CHECK_INT(sdjournal_send(c, where.sun_path, big, sizeof(big)), 0);
	n = 1;
	CHECK_INT(sock_recv_fds(s, data, sizeof(data), &mem, &n), 0);
	CHECK_INT(n, 1);
	CHECK(fcntl(mem, F_GET_SEALS) & F_SEAL_WRITE);
	CHECK_INT(pread(mem, got, sizeof(got), 0), sizeof(got));
	CHECK(memcmp(got, big, sizeof(got)) == 0);
	unlink(where.sun_path);
}

TEST(nobody_there_is_told)
{
	auto_fd int s = listener(), c = sdjournal_open(where.sun_path);

	CHECK_INT(sdjournal_open("/tmp"), -ENOTSOCK);
	CHECK_INT(sdjournal_open("/tmp/sdjournal_test-none"), -ENOENT);
	close(s);
	s = -1;
	CHECK_INT(sdjournal_send(c, where.sun_path, "A=b\n", 4), -ECONNREFUSED);
	unlink(where.sun_path);
	CHECK_INT(sdjournal_send(c, where.sun_path, "A=b\n", 4), -ENOENT);
}

TEST_MAIN(T(a_field_carries_any_bytes),
	  T(small_ones_travel_in_a_datagram_large_ones_in_a_sealed_memfd), T(nobody_there_is_told))

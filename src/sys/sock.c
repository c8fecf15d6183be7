/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sock.h"
#include "base/auto.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int address(int dir_fd, const char *name, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir_fd, name) >=
	    (int)sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/* A stream socket, and the address it is for. */
static int make(int dir_fd, const char *name, struct sockaddr_un *sa)
{
	int r = address(dir_fd, name, sa);

	if (r < 0)
		return r;
	r = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return r < 0 ? -errno : r;
}

int sock_listen(int dir_fd, const char *name, mode_t mode)
{
	struct sockaddr_un sa;
	auto_fd int s = make(dir_fd, name, &sa);

	if (s < 0)
		return s;
	/* The mode is set before the name exists, so nobody connects in between. */
	if (fchmod(s, mode) < 0)
		return -errno;
	if (bind(s, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    fchmodat(dir_fd, name, mode, 0) < 0 || listen(s, SOMAXCONN) < 0)
		return -errno;
	return take_fd(&s);
}

int sock_connect(int dir_fd, const char *name)
{
	struct sockaddr_un sa;
	auto_fd int s = make(dir_fd, name, &sa);

	if (s < 0)
		return s;
	if (connect(s, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return take_fd(&s);
}

int sock_send_fds(int fd, const void *data, size_t len, const int *fds, size_t n)
{
	union {
		char b[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} u = {0};
	union {
		const void *in;
		void *out;
	} d = {.in = data};
	struct iovec v = {d.out, len};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t r;

	if (n > SOCK_FDS_MAX || !len)
		return -EINVAL;
	if (n) {
		m.msg_control = u.b;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == len ? 0 : -EIO;
}

static size_t collect(struct msghdr *m, int *fds, size_t max, size_t *over)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t k;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < k; i++) {
			int f;

			memcpy(&f, CMSG_DATA(c) + i * sizeof(int), sizeof(f));
			if (n < max)
				fds[n++] = f;
			else {
				close(f);
				++*over;
			}
		}
	}
	return n;
}

ssize_t sock_recv_fds(int fd, void *data, size_t len, int *fds, size_t *n)
{
	union {
		char b[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec v = {data, len};
	struct msghdr m = {
	    .msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof(u.b)};
	size_t over = 0;
	ssize_t r;

	do
		r = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*n = collect(&m, fds, *n, &over);
	if (over || m.msg_flags & MSG_CTRUNC) {
		while (*n)
			close(fds[--*n]);
		return -E2BIG;
	}
	return r;
}

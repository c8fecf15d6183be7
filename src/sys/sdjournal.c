/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sdjournal.h"
#include "base/auto.h"
#include "base/buf.h"
#include "sys/fd.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int address(const char *path, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return 0;
}

int sdjournal_open(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int send_one(int fd, const struct msghdr *m)
{
	ssize_t n;

	do
		n = sendmsg(fd, m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int send_memfd(int fd, struct msghdr *m, const void *message, size_t len)
{
	auto_fd int mem = fd_sealed("journal-message", message, len);
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c = {{0}};
	struct cmsghdr *h = &c.align;

	if (mem < 0)
		return mem;
	m->msg_iov = NULL;
	m->msg_iovlen = 0;
	m->msg_control = c.space;
	m->msg_controllen = sizeof(c.space);
	*h = (struct cmsghdr){
	    .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(h), &mem, sizeof(mem));
	return send_one(fd, m);
}

int sdjournal_send(int fd, const char *path, const void *message, size_t len)
{
	union {
		const void *in;
		void *out;
	} u = {.in = message};
	struct iovec v = {u.out, len};
	struct sockaddr_un sa;
	struct msghdr m = {
	    .msg_name = &sa, .msg_namelen = sizeof(sa), .msg_iov = &v, .msg_iovlen = 1};
	int r = address(path, &sa);

	if (r == 0)
		r = send_one(fd, &m);
	return r == -EMSGSIZE || r == -ENOBUFS ? send_memfd(fd, &m, message, len) : r;
}

void sdjournal_field(struct buf *b, const char *name, const void *value, size_t len)
{
	uint64_t n = htole64(len);

	buf_puts(b, name);
	buf_puts(b, "\n");
	buf_add(b, &n, sizeof(n));
	buf_add(b, value, len);
	buf_puts(b, "\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/nlmsg.h"
#include "base/auto.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A dump answers in pieces of at most 32 KiB (netlink_dump() in the kernel). */
#define REPLY_MAX 65536

int nlmsg_open(struct nlmsg_sock *s, int protocol)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	int on = 1, room = 1 << 20;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	/* Errors come back without a copy of the request: big batches would overrun the receiver.
	 */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return -errno;
	/* Room for a whole batch and its acknowledgements; without CAP_NET_ADMIN the default must
	 * do. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	*s = (struct nlmsg_sock){.fd = take_fd(&fd)};
	return 0;
}

void nlmsg_close(struct nlmsg_sock *s)
{
	int saved = errno;

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	errno = saved;
}

/* Only async-signal-safe calls: the caller may have threads. */
static void wait_elsewhere(int fd)
{
	if (fork() != 0)
		_exit(0);
	dup2(fd, 0);
	fd_close_from(1);
	close(0);
	_exit(0);
}

void nlmsg_close_behind(struct nlmsg_sock *s)
{
	int saved = errno, status;
	pid_t pid = s->fd < 0 ? -1 : fork();

	if (pid == 0)
		wait_elsewhere(s->fd);
	nlmsg_close(s); /* not the last one, unless the fork failed */
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	errno = saved;
}

static void pad(struct buf *b)
{
	static const char zero[NLMSG_ALIGNTO];

	if (b->len % NLMSG_ALIGNTO)
		buf_add(b, zero, NLMSG_ALIGNTO - b->len % NLMSG_ALIGNTO);
}

size_t nlmsg_start(struct buf *b, uint16_t type, uint16_t flags, const void *header, size_t len)
{
	size_t start = b->len;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};

	buf_add(b, &h, sizeof(h));
	buf_add(b, header, len);
	pad(b);
	return start;
}

void nlmsg_end(struct buf *b, size_t start)
{
	uint32_t len = (uint32_t)(b->len - start);

	if (!b->failed)
		memcpy(b->p + start, &len, sizeof(len));
}

void nlmsg_attr(struct buf *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = {.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + len)};

	if (len > UINT16_MAX - NLA_HDRLEN) {
		b->failed = true;
		return;
	}
	buf_add(b, &a, sizeof(a));
	buf_add(b, data, len);
	pad(b);
}

void nlmsg_str(struct buf *b, uint16_t type, const char *s)
{
	nlmsg_attr(b, type, s, strlen(s) + 1);
}

void nlmsg_u8(struct buf *b, uint16_t type, uint8_t v)
{
	nlmsg_attr(b, type, &v, sizeof(v));
}

void nlmsg_u16(struct buf *b, uint16_t type, uint16_t v)
{
	nlmsg_attr(b, type, &v, sizeof(v));
}

void nlmsg_u32(struct buf *b, uint16_t type, uint32_t v)
{
	nlmsg_attr(b, type, &v, sizeof(v));
}

void nlmsg_be32(struct buf *b, uint16_t type, uint32_t v)
{
	nlmsg_u32(b, type, htonl(v));
}

size_t nlmsg_nest(struct buf *b, uint16_t type)
{
	size_t start = b->len;

	nlmsg_attr(b, type | NLA_F_NESTED, "", 0);
	return start;
}

void nlmsg_nest_end(struct buf *b, size_t start)
{
	uint16_t len = (uint16_t)(b->len - start);

	if (b->len - start > UINT16_MAX)
		b->failed = true;
	if (!b->failed)
		memcpy(b->p + start, &len, sizeof(len));
}

/* Number the messages; returns the number of the last that is answered. */
static uint32_t number(struct nlmsg_sock *s, struct buf *b)
{
	uint32_t last = s->seq;
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= b->len) {
		struct nlmsghdr h;

		memcpy(&h, b->p + at, sizeof(h));
		h.nlmsg_seq = ++s->seq;
		/* NLM_F_DUMP shares its bits with the flags of NEW requests. */
		if (h.nlmsg_flags & NLM_F_ACK || (h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
			last = s->seq;
		memcpy(b->p + at, &h, sizeof(h));
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
	return last;
}

static int send_all(int fd, const struct buf *b)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n;

	do {
		n = sendto(fd, b->p, b->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
		if (n < 0 && errno == EMSGSIZE) {
			int room = (int)b->len * 2;

			if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
				return -EMSGSIZE;
			n = sendto(fd, b->p, b->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
		}
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* One datagram of answers.  1: go on reading, 0: done, < 0: the kernel's error. */
static int answers(const char *p, size_t n, uint32_t first, uint32_t last, nlmsg_each_fn *each,
		   void *arg)
{
	while (n >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *m = (const void *)p;
		int r = 0;

		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > n)
			return -EBADMSG;
		if (m->nlmsg_seq - first > last - first) {
			/* What is left of an earlier, failed talk. */
		} else if (m->nlmsg_type == NLMSG_ERROR) {
			int error;

			if (m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
				return -EBADMSG;
			memcpy(&error, nlmsg_body(m), sizeof(error));
			if (error)
				return error;
			if (m->nlmsg_seq == last)
				return 0;
		} else if (m->nlmsg_type == NLMSG_DONE) {
			if (m->nlmsg_seq == last)
				return 0;
		} else if (m->nlmsg_type >= NLMSG_MIN_TYPE && each) {
			r = each(m, arg);
			if (r < 0)
				return r;
		}
		if (NLMSG_ALIGN(m->nlmsg_len) >= n)
			break;
		n -= NLMSG_ALIGN(m->nlmsg_len);
		p += NLMSG_ALIGN(m->nlmsg_len);
	}
	return 1;
}

int nlmsg_talk(struct nlmsg_sock *s, struct buf *b, nlmsg_each_fn *each, void *arg)
{
	_Alignas(struct nlmsghdr) char reply[REPLY_MAX];
	uint32_t first = s->seq + 1, last;
	int r;

	if (b->failed)
		return -EOVERFLOW;
	last = number(s, b);
	r = send_all(s->fd, b);
	if (r < 0)
		return r;
	do {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof(from);
		ssize_t n =
		    recvfrom(s->fd, reply, sizeof(reply), 0, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EINTR)
			r = 1;
		else if (n < 0)
			r = -errno;
		else if (from.nl_pid)
			r = 1; /* not from the kernel: any local process may send to a netlink
				  socket */
		else
			r = answers(reply, (size_t)n, first, last, each, arg);
	} while (r == 1);
	return r;
}

const void *nlmsg_body(const struct nlmsghdr *m)
{
	return (const char *)m + NLMSG_HDRLEN;
}

static void attrs(const char *p, size_t n, const struct nlattr **table, uint16_t max)
{
	memset(table, 0, (max + 1U) * sizeof(*table));
	while (n >= (size_t)NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		uint16_t type = a->nla_type & NLA_TYPE_MASK;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > n)
			return;
		if (type <= max)
			table[type] = a;
		if ((size_t)NLA_ALIGN(a->nla_len) >= n)
			return;
		n -= NLA_ALIGN(a->nla_len);
		p += NLA_ALIGN(a->nla_len);
	}
}

void nlmsg_attrs(const struct nlmsghdr *m, size_t header, const struct nlattr **table, uint16_t max)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header);

	attrs((const char *)m + skip, m->nlmsg_len > skip ? m->nlmsg_len - skip : 0, table, max);
}

void nlmsg_nested(const struct nlattr *a, const struct nlattr **table, uint16_t max)
{
	attrs(nlmsg_data(a), nlmsg_len(a), table, max);
}

const void *nlmsg_data(const struct nlattr *a)
{
	return a ? (const char *)a + NLA_HDRLEN : NULL;
}

size_t nlmsg_len(const struct nlattr *a)
{
	return a ? a->nla_len - (size_t)NLA_HDRLEN : 0;
}

uint32_t nlmsg_get_u32(const struct nlattr *a)
{
	uint32_t v = 0;

	if (nlmsg_len(a) >= sizeof(v))
		memcpy(&v, nlmsg_data(a), sizeof(v));
	return v;
}

void nlmsg_get_str(const struct nlattr *a, char *dst, size_t size)
{
	size_t n = nlmsg_len(a);

	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(dst, nlmsg_data(a), n);
	dst[n] = '\0';
}

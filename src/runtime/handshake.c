/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/handshake.h"
#include "base/auto.h"
#include "sys/sock.h"

#include <string.h>
#include <sys/socket.h>

#define SHORT offsetof(struct handshake, err)

int handshake_send(int sock, enum handshake_op op, int32_t value, int fd, struct err *e)
{
	struct handshake h = {.op = op, .value = value};
	int r;

	if (fd >= 0) {
		r = sock_send_fds(sock, &h, SHORT, &fd, 1);
	} else {
		do
			r = (int)send(sock, &h, SHORT, MSG_NOSIGNAL);
		while (r < 0 && errno == EINTR);
		r = r < 0 ? -errno : 0;
	}
	if (r < 0) {
		errno = -r;
		return err_sys(e, "hand message %d over", (int)op);
	}
	return 0;
}

void handshake_fail(int sock, const struct err *why)
{
	struct handshake h = {.op = HANDSHAKE_FAILED, .err = *why};

	/* write, not send: the seccomp filter may already be loaded, and every profile that can run
	 * a program lets it write.  SIGPIPE of a vanished parent ends us, which is what is wanted.
	 */
	while (write(sock, &h, sizeof(h)) < 0 && errno == EINTR)
		;
}

/* What comes from a process that is about to become somebody else's is checked like input. */
static int received_error(const struct handshake *h, size_t len, struct err *e)
{
	struct err got = h->err;

	if (len != sizeof(*h) || got.kind == ERR_NONE || got.kind >= ERR_KIND_MAX_)
		return err_set(e, ERR_SYSTEM, "the new process sent a malformed error");
	got.msg[sizeof(got.msg) - 1] = '\0';
	got.len = (uint16_t)strlen(got.msg);
	for (char *p = got.msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (e)
		*e = got;
	/* The errno that belongs to the kind. */
	return err_set(NULL, got.kind, "x");
}

static ssize_t recv_one(int sock, struct handshake *h, int fds[1], size_t *n)
{
	ssize_t got;

	memset(h, 0, sizeof(*h));
	if (*n)
		return sock_recv_fds(sock, h, sizeof(*h), fds, n);
	do
		got = recv(sock, h, sizeof(*h), 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int handshake_recv(int sock, struct handshake *h, int *fd, struct err *e)
{
	int fds[1];
	size_t n = fd ? 1 : 0;
	ssize_t got = recv_one(sock, h, fds, &n);

	if (fd)
		*fd = -1;
	/* The other side died with a message of ours unread.  The kernel says so once, ahead of
	 * what it had sent before: its reason. */
	if (got == -ECONNRESET) {
		n = fd ? 1 : 0;
		got = recv_one(sock, h, fds, &n);
		if (got == -ECONNRESET)
			return 0;
	}
	if (got < 0) {
		errno = (int)-got;
		return err_sys(e, "wait for the new process");
	}
	if (got == 0)
		return 0;
	if (fd && n == 1)
		*fd = fds[0];
	if (h->op == HANDSHAKE_FAILED)
		return received_error(h, (size_t)got, e);
	if ((size_t)got != SHORT || h->op >= HANDSHAKE_OP_MAX_)
		return err_set(e, ERR_SYSTEM, "the new process sent a malformed message");
	return 1;
}

int handshake_expect(int sock, enum handshake_op op, struct handshake *h, int *fd, struct err *e)
{
	struct handshake local;
	int r;

	if (!h)
		h = &local;
	r = handshake_recv(sock, h, fd, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_SYSTEM, "the other side ended before message %d", (int)op);
	if (h->op != op)
		return err_set(e, ERR_SYSTEM, "message %u instead of %d", h->op, (int)op);
	return 0;
}

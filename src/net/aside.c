/* SPDX-License-Identifier: Apache-2.0 */
#include "net/aside.h"
#include "base/auto.h"
#include "base/err.h"
#include "net/attachment.h"
#include "net/outside.h"
#include "sys/fd.h"
#include "sys/sock.h"
#include "sys/userns.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define TEXT_MAX   (8u << 20)
#define BIND_TRIES 20

enum op { OP_BIND, OP_OUTSIDE, OP_FDS, OP_END };

/* Between the two halves of one program, by one kind of message. */
struct message {
	int op, r, proto;
	struct in_addr ip;
	uint16_t port;
	struct err err;
};

static int answer(int talk, struct message *m, int *fd)
{
	size_t n = 1;
	ssize_t got;

	*fd = -1;
	if (sock_send_fds(talk, m, sizeof(*m), NULL, 0) < 0)
		return -EPIPE;
	got = sock_recv_fds(talk, m, sizeof(*m), fd, &n);
	return got == (ssize_t)sizeof(*m) ? m->r : -EPIPE;
}

int aside_bind(int talk, int proto, struct in_addr ip, uint16_t *port)
{
	struct message m = {.op = OP_BIND, .proto = proto, .ip = ip, .port = *port};
	int fd, r = answer(talk, &m, &fd);

	if (r < 0)
		return r;
	*port = m.port;
	return fd;
}

int aside_outside(int talk, struct err *e)
{
	struct message m = {.op = OP_OUTSIDE};
	int fd, r = answer(talk, &m, &fd);

	fd_close(fd);
	if (r < 0 && e)
		*e = m.err;
	return r;
}

/* ---- the child ---- */

static int hand_back(int talk, const struct aside_made *made, int r)
{
	auto_fd int text = -1;
	struct message m = {.op = OP_FDS};

	for (size_t i = 0; i < made->n_fds; i += SOCK_FDS_MAX) {
		size_t n = made->n_fds - i < SOCK_FDS_MAX ? made->n_fds - i : SOCK_FDS_MAX;

		if (sock_send_fds(talk, &m, sizeof(m), made->fds + i, n) < 0)
			return -EPIPE;
	}
	m.op = OP_END;
	m.r = r;
	if (!made->text)
		return sock_send_fds(talk, &m, sizeof(m), NULL, 0);
	text = fd_sealed("aside", made->text, strlen(made->text));
	return text < 0 ? text : sock_send_fds(talk, &m, sizeof(m), &text, 1);
}

static _Noreturn void child(int ns, int talk, aside_fn *fn, void *arg)
{
	struct message m = {.op = OP_END};
	struct aside_made made = {.text = NULL};

	if (setns(ns, CLONE_NEWNET) < 0)
		m.r = err_sys(&m.err, "enter the network namespace of the user's engine");
	else
		m.r = fn(arg, talk, &made, &m.err);
	if (m.r >= 0)
		_exit(hand_back(talk, &made, m.r) < 0);
	_exit(sock_send_fds(talk, &m, sizeof(m), NULL, 0) < 0);
}

/* ---- the parent ---- */

static int serve_bind(int talk, struct message *m)
{
	auto_fd int fd = -1;

	/* The forwarder of an instance that was just ended, or of this one's last run, may need a
	 * moment to see that. */
	for (int i = 0; i < BIND_TRIES; i++) {
		fd = attachment_bind(m->proto, m->ip, &m->port);
		if (fd != -EADDRINUSE || i + 1 == BIND_TRIES)
			break;
		poll(NULL, 0, 10);
	}
	m->r = fd < 0 ? fd : 0;
	return sock_send_fds(talk, m, sizeof(*m), &fd, fd < 0 ? 0 : 1);
}

static int serve_outside(int run_fd, int talk, struct message *m)
{
	m->r = outside_start(run_fd, &m->err);
	return sock_send_fds(talk, m, sizeof(*m), NULL, 0);
}

static int take_fds(struct aside_made *made, const int *fds, size_t n)
{
	bool room = made && made->n_fds + n <= ASIDE_FDS_MAX;

	for (size_t i = 0; i < n; i++)
		if (room)
			made->fds[made->n_fds++] = fds[i];
		else
			close(fds[i]);
	return room ? 0 : -E2BIG;
}

static int finish(const struct message *m, const int *fds, size_t n, struct aside_made *made,
		  struct err *e)
{
	int r = 0;

	if (m->r < 0 && e)
		*e = m->err;
	if (n && made && m->r >= 0)
		r = (int)fd_slurp(fds[0], TEXT_MAX, &made->text);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network: read what was made");
	}
	return m->r;
}

static int serve(int run_fd, int talk, struct aside_made *made, struct err *e)
{
	struct message m;
	int r = 0;

	while (r >= 0) {
		int fds[SOCK_FDS_MAX];
		size_t n = SOCK_FDS_MAX;
		ssize_t got = sock_recv_fds(talk, &m, sizeof(m), fds, &n);

		if (got != (ssize_t)sizeof(m))
			break;
		if (m.op == OP_END)
			return finish(&m, fds, n, made, e);
		r = m.op == OP_BIND	 ? serve_bind(talk, &m)
		    : m.op == OP_OUTSIDE ? serve_outside(run_fd, talk, &m)
					 : take_fds(made, fds, n);
	}
	return err_set(e, ERR_SYSTEM, "network: the process that makes it died");
}

int aside_needed(int run_fd)
{
	struct userns_holder h;

	return userns_inside() && userns_holder_read(run_fd, &h) == 0;
}

int aside_run(int run_fd, aside_fn *fn, void *arg, struct aside_made *made, struct err *e)
{
	struct userns_holder h;
	auto_fd int ns = -1;
	int pair[2], r;
	pid_t pid;

	r = userns_holder_read(run_fd, &h);
	if (r == 0)
		ns = r = userns_holder_net(&h);
	if (r < 0)
		return err_set(e, ERR_CONFLICT, "the network of this user's engine is gone");
	if (made)
		*made = (struct aside_made){.text = NULL};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		child(ns, pair[1], fn, arg);
	}
	close(pair[1]);
	r = pid < 0 ? err_sys(e, "fork") : serve(run_fd, pair[0], made, e);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0 && made) {
		while (made->n_fds)
			close(made->fds[--made->n_fds]);
		free(take_ptr(&made->text));
	}
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/procio.h"
#include "base/auto.h"
#include "base/err.h"
#include "spec/wire.h"
#include "sys/fd.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK 65536

static void drop(int *fd)
{
	fd_close(*fd);
	*fd = -1;
}

int procio_open(struct procio *s, uint32_t id, bool terminal, bool with_stdin, int child[3],
		struct err *e)
{
	int p[2];

	*s = (struct procio){.id = id,
			     .launch = LAUNCH_INIT,
			     .in = -1,
			     .out = -1,
			     .err = -1,
			     .terminal = terminal,
			     .credit = PROCIO_WINDOW,
			     /* Twice: see procio_anew(). */
			     .inq = BUF_INIT(2 * PROCIO_WINDOW)};
	child[0] = child[1] = child[2] = -1;
	if (terminal)
		return 0;
	if (with_stdin) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return err_sys(e, "pipe");
		child[0] = p[0];
		s->in = p[1];
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	s->out = p[0];
	child[1] = p[1];
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	s->err = p[0];
	child[2] = p[1];
	if (s->in >= 0)
		fd_set_nonblock(s->in, 1);
	fd_set_nonblock(s->out, 1);
	fd_set_nonblock(s->err, 1);
	return 0;
}

int procio_terminal(struct procio *s, int console, struct err *e)
{
	s->out = console;
	s->in = fcntl(console, F_DUPFD_CLOEXEC, 3);
	if (s->in < 0)
		return err_sys(e, "terminal");
	fd_set_nonblock(console, 1);
	return 0;
}

int procio_input(struct procio *s, const void *data, size_t len)
{
	if (len == 0) {
		s->in_eof = true;
		return 0;
	}
	if (s->in < 0) { /* the process closed it, or never had it: taken and forgotten */
		s->consumed += (uint32_t)len;
		return 0;
	}
	if (len > PROCIO_WINDOW - (s->inq.len - s->inq_off - s->old))
		return -EBADMSG;
	if (s->inq_off) {
		memmove(s->inq.p, s->inq.p + s->inq_off, s->inq.len - s->inq_off);
		s->inq.len -= s->inq_off;
		s->inq_off = 0;
	}
	buf_add(&s->inq, data, len);
	return 0;
}

void procio_resize(struct procio *s, uint16_t rows, uint16_t columns)
{
	struct winsize w = {.ws_row = rows, .ws_col = columns};

	if (s->terminal && s->out >= 0)
		ioctl(s->out, TIOCSWINSZ, &w);
}

static bool wants_out(const struct procio *s, int fd, bool room)
{
	return fd >= 0 && room && s->credit > 0;
}

void procio_poll(const struct procio *s, bool room, struct pollfd *p)
{
	/* A descriptor of -1 is skipped by poll(2); so no hang-up spins while we may not read. */
	p[0] = (struct pollfd){.fd = s->inq.len > s->inq_off ? s->in : -1, .events = POLLOUT};
	p[1] = (struct pollfd){.fd = wants_out(s, s->out, room) ? s->out : -1, .events = POLLIN};
	p[2] = (struct pollfd){.fd = wants_out(s, s->err, room) ? s->err : -1, .events = POLLIN};
}

static void taken(struct procio *s, size_t n)
{
	uint32_t old = n < s->old ? (uint32_t)n : s->old;

	s->old -= old;
	s->consumed += (uint32_t)n - old;
}

void procio_anew(struct procio *s)
{
	s->credit = PROCIO_WINDOW;
	s->consumed = 0;
	s->old = (uint32_t)(s->inq.len - s->inq_off);
}

static void write_input(struct procio *s)
{
	size_t left = s->inq.len - s->inq_off;
	ssize_t n;

	if (left && s->in >= 0) {
		n = write(s->in, s->inq.p + s->inq_off, left);
		if (n > 0) {
			s->inq_off += (size_t)n;
			taken(s, (size_t)n);
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			/* Nobody reads any more: what waits counts as taken. */
			taken(s, left);
			s->inq_off = s->inq.len;
			drop(&s->in);
		}
	}
	/* A terminal has no end of file of its own: closing would hang it up. */
	if (s->in_eof && !s->terminal && s->inq_off == s->inq.len && s->in >= 0)
		drop(&s->in);
}

static void grant_input(struct procio *s, struct buf *out)
{
	uint32_t n = htole32(s->consumed);

	if (!s->consumed || (s->consumed < CHUNK && s->inq.len > s->inq_off))
		return;
	wire_put(out, WIRE_WINDOW, s->id, &n, sizeof(n));
	s->consumed = 0;
}

/* Read once.  False when there is nothing more now. */
static bool read_output(struct procio *s, int *fd, enum wire_type type, struct buf *out)
{
	static unsigned char chunk[CHUNK]; /* scratch; the agent has one thread */
	size_t want = s->credit < sizeof(chunk) ? (size_t)s->credit : sizeof(chunk);
	ssize_t n;

	if (*fd < 0 || !want)
		return false;
	n = read(*fd, chunk, want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* EIO: the other side of a terminal is closed */
		drop(fd);
		wire_put(out, type, s->id, NULL, 0);
		return false;
	}
	wire_put(out, type, s->id, chunk, (size_t)n);
	s->credit -= (uint64_t)n;
	return true;
}

void procio_move(struct procio *s, const struct pollfd *p, bool room, struct buf *out)
{
	write_input(s);
	grant_input(s, out);
	if (room && p[1].fd >= 0 && p[1].revents)
		read_output(s, &s->out, WIRE_STDOUT, out);
	if (room && p[2].fd >= 0 && p[2].revents)
		read_output(s, &s->err, WIRE_STDERR, out);
}

/* What is in the pipes of an ended process was written by it; a read that would block says that
 * all of it was taken.  Stops at the window; the next WINDOW brings us here again. */
static bool drained(struct procio *s, int *fd, enum wire_type type, struct buf *out)
{
	while (*fd >= 0 && s->credit > 0 && read_output(s, fd, type, out))
		if (out->len > PROCIO_WINDOW)
			return false;
	return *fd < 0 || s->credit > 0;
}

/* Without credit a WINDOW is what is waited for. */
bool procio_due(const struct procio *s, const struct buf *out)
{
	return s->ended && out->len <= PROCIO_WINDOW &&
	       ((s->out < 0 && s->err < 0) || s->credit > 0);
}

bool procio_finish(struct procio *s, struct buf *out)
{
	uint32_t status = htole32((uint32_t)s->status);

	if (!s->ended || out->len > PROCIO_WINDOW)
		return false;
	if (!drained(s, &s->out, WIRE_STDOUT, out) || !drained(s, &s->err, WIRE_STDERR, out))
		return false;
	wire_put(out, WIRE_EXIT, s->id, &status, sizeof(status));
	return true;
}

void procio_close(struct procio *s)
{
	drop(&s->in);
	drop(&s->out);
	drop(&s->err);
	buf_free(&s->inq);
	s->launch.console = -1; /* it was .out */
	launch_done(&s->launch);
	s->id = 0;
}

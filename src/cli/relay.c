/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/relay.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/conn.h"
#include "engine/detachkeys.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#define CHUNK (32u << 10)

struct pump {
	struct relay *r;
	struct termios saved;
	bool raw;
	bool in_open, out_gone;
	size_t window; /* bytes we may still send */
	struct detachkeys keys;
	int status;
	bool exited, detached;
};

/* ---- the terminal ---- */

void relay_size(unsigned int *rows, unsigned int *columns)
{
	struct winsize w = {0};

	*rows = *columns = 0;
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &w) == 0) {
			*rows = w.ws_row;
			*columns = w.ws_col;
			return;
		}
}

int relay_check(const struct relay *r, struct err *e)
{
	if (r->tty && r->in && !isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "the input device is not a TTY");
	return 0;
}

static void raw_mode(struct pump *p)
{
	struct termios t;

	if (!p->r->tty || !p->r->in || tcgetattr(STDIN_FILENO, &p->saved) < 0)
		return;
	t = p->saved;
	cfmakeraw(&t);
	/* Not TCSAFLUSH: what was typed ahead belongs to the process. */
	p->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

static void restore_mode(struct pump *p)
{
	if (p->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &p->saved);
	p->raw = false;
}

static int send_size(struct pump *p)
{
	unsigned char b[4];
	unsigned int rows, columns;

	relay_size(&rows, &columns);
	if (!p->r->tty || !rows)
		return 0;
	b[0] = (unsigned char)rows;
	b[1] = (unsigned char)(rows >> 8);
	b[2] = (unsigned char)columns;
	b[3] = (unsigned char)(columns >> 8);
	return conn_send(p->r->conn, WIRE_RESIZE, p->r->stream, b, sizeof(b), NULL);
}

/* ---- the three directions ---- */

static int on_stdin(struct pump *p, struct err *e)
{
	char data[CHUNK], kept[CHUNK + DETACHKEYS_MAX];
	size_t room = p->window < CHUNK ? p->window : CHUNK, len;
	ssize_t n = read(STDIN_FILENO, data, room > DETACHKEYS_MAX ? room - DETACHKEYS_MAX : room);
	const char *from = data;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		p->in_open = false;
		return conn_send(p->r->conn, WIRE_STDIN, p->r->stream, NULL, 0, e);
	}
	len = (size_t)n;
	if (p->raw) {
		p->detached = detachkeys_scan(&p->keys, data, len, kept, &len);
		from = kept;
	}
	if (!len)
		return 0;
	p->window -= len < p->window ? len : p->window;
	return conn_send(p->r->conn, WIRE_STDIN, p->r->stream, from, len, e);
}

static int on_output(struct pump *p, const struct wire_frame *f, struct err *e)
{
	int fd = f->type == WIRE_STDERR ? STDERR_FILENO : STDOUT_FILENO;
	struct control_stop kill_it = {.signal = SIGKILL};
	int r;

	if (p->out_gone)
		return 0;
	r = fd_write_all(fd, f->data, f->len);
	if (r != -EPIPE)
		return r < 0 ? err_set(e, ERR_SYSTEM, "output: %s", strerror(-r)) : 0;
	/* The reader of our output went away.  A plain process would die of SIGPIPE now; one that
	 * is process 1 of its namespace cannot, so it is killed. */
	p->out_gone = true;
	if (p->r->no_signals)
		return 0;
	return conn_send_json(p->r->conn, WIRE_STOP, p->r->stream + 1000, &control_stop_table,
			      &kill_it, e);
}

static int on_frame(struct pump *p, const struct wire_frame *f, struct err *e)
{
	struct relay *r = p->r;
	uint32_t v = 0;

	if (f->type == WIRE_STARTED && f->stream == r->started) {
		if (r->wait_start)
			trace_end(TRACE_MONITOR);
		r->wait_start = false;
		return 0;
	}
	if (f->type == WIRE_ERR && (f->stream == r->stream || f->stream == r->started))
		return wire_err(f, e);
	if (f->stream != r->stream)
		return 0;
	if (f->len == sizeof(v))
		memcpy(&v, f->data, sizeof(v));
	switch (f->type) {
	case WIRE_STDOUT:
	case WIRE_STDERR:
		return on_output(p, f, e);
	case WIRE_WINDOW:
		p->window += le32toh(v);
		return 0;
	case WIRE_EXIT:
		p->status = (int)le32toh(v);
		p->exited = true;
		return 0;
	default:
		return 0;
	}
}

static int on_conn(struct pump *p, struct err *e)
{
	struct wire_frame f;
	int r = conn_read(p->r->conn, e);

	while (r >= 0 && !p->exited && (r = wire_next(&p->r->conn->reader, &f, e)) > 0)
		r = on_frame(p, &f, e);
	return r;
}

static int on_signal(struct pump *p, struct err *e)
{
	struct signalfd_siginfo si;
	uint32_t n;

	if (read(p->r->signals, &si, sizeof(si)) != sizeof(si))
		return 0;
	if (si.ssi_signo == SIGWINCH)
		return send_size(p);
	if (p->r->no_signals) {
		restore_mode(p);
		err_set(e, ERR_CANCELED, "ended by a signal");
		e->sys = (int)si.ssi_signo;
		return -ECANCELED;
	}
	n = htole32(si.ssi_signo);
	return conn_send(p->r->conn, WIRE_SIGNAL, p->r->stream, &n, sizeof(n), e);
}

/* ---- the loop ---- */

int relay_signals(struct err *e)
{
	static const int ours[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,	SIGUSR1, SIGUSR2,
				   SIGALRM, SIGCONT, SIGTSTP, SIGWINCH, SIGTTIN, SIGTTOU};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(&set, ours[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, "signalfd") : fd;
}

static int turn(struct pump *p, struct err *e)
{
	struct pollfd fds[] = {
	    {.fd = p->r->conn->fd, .events = POLLIN},
	    {.fd = p->r->signals, .events = POLLIN},
	    {.fd = p->in_open && p->window > DETACHKEYS_MAX ? STDIN_FILENO : -1, .events = POLLIN},
	};
	int r = 0;

	/* Frames that came together with an earlier answer are in the reader already. */
	if (poll(fds, 3, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	if (fds[1].revents)
		r = on_signal(p, e);
	if (r == 0 && fds[0].revents)
		r = on_conn(p, e);
	if (r == 0 && !p->exited && fds[2].revents)
		r = on_stdin(p, e);
	return r;
}

int relay_run(struct relay *r, int *status, struct err *e)
{
	struct pump p = {.r = r, .in_open = r->in, .window = CONTROL_STDIN_WINDOW};
	int n = detachkeys_parse(r->detach_keys ? r->detach_keys : DETACHKEYS_DEFAULT, &p.keys, e);

	if (n < 0)
		return n;
	raw_mode(&p);
	while (n >= 0 && !p.exited && !p.detached)
		n = turn(&p, e);
	restore_mode(&p);
	/* Writing fails when the monitor is gone; what it said last may tell why. */
	if (n < 0 && !p.exited)
		return n;
	if (p.detached)
		return RELAY_DETACHED;
	*status = p.out_gone && !r->no_signals ? SIGPIPE : p.status;
	return RELAY_EXITED;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/logsink.h"
#include "base/auto.h"
#include "base/err.h"
#include "monitor/logjournal.h"
#include "spec/plan.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE	  (32u << 10)
#define FINISH_MS 5000 /* how long an end waits for the writer */
#define LOST	  LOGFILE_STREAM_MAX_

/* Before each piece in the pipe. */
struct piece {
	uint32_t kind, len; /* enum logfile_stream; or LOST, and no bytes */
	int64_t value;	    /* nanoseconds since the epoch; or how many bytes were lost */
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the writer ---- */

static void take_piece(struct logfile *l, const struct piece *p, const char *data)
{
	if (p->kind == LOST) {
		logfile_flush(l);
		l->lost += (uint64_t)p->value;
		return;
	}
	l->at_ns = p->value;
	logfile_write(l, (enum logfile_stream)p->kind, data, p->len);
}

static _Noreturn void write_all(struct logfile *l, int in)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int keep[] = {in, l->dir_fd, l->fd, l->journal ? logjournal_fd(l->journal) : -1};
	static char data[PIECE];
	struct piece p;

	/* The instance's lock and its clients are the monitor's alone.  When the host goes down the
	 * end of the input is the end. */
	fd_close_but(3, keep, sizeof(keep) / sizeof(keep[0]));
	sigaction(SIGTERM, &ignore, NULL);
	prctl(PR_SET_NAME, "caisson-log");
	while (fd_read_full(in, &p, sizeof(p)) == sizeof(p) && p.len <= sizeof(data) &&
	       fd_read_full(in, data, p.len) == (ssize_t)p.len)
		take_piece(l, &p, data);
	logfile_done(l);
	_exit(0);
}

static void out_ready(struct watch *w, uint32_t events);

static int start_writer(struct logsink *l, struct loop *loop, struct err *e)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0) {
		close(fd[1]);
		write_all(&l->file, fd[0]);
	}
	close(fd[0]);
	if (pid < 0) {
		close(fd[1]);
		return err_sys(e, "writer of the log");
	}
	l->writer = pid;
	l->ended = (int)syscall(SYS_pidfd_open, pid, 0);
	logfile_leave(&l->file);
	/* Fresh pipes can be watched. */
	return loop_watch(loop, &l->out, fd[1], 0, out_ready) < 0
		   ? err_set(e, ERR_SYSTEM, "the log's pipe cannot be watched")
		   : 0;
}

int logsink_open(struct logsink *l, struct loop *loop, int dir_fd, const struct plan_caisson *c,
		 struct err *e)
{
	int r = logfile_open(&l->file, dir_fd, c, e);

	l->non_blocking = c->log.non_blocking;
	l->max = (size_t)c->log.buffer_bytes;
	if (r == 0 && (l->file.journal || (l->non_blocking && logfile_keeps(&l->file))))
		r = start_writer(l, loop, e);
	return r;
}

/* ---- the monitor's side ---- */

/* False: the writer is gone. */
static bool flush(struct logsink *l)
{
	if (l->q.len && outq_flush(&l->q, l->out.fd) < 0) {
		outq_done(&l->q);
		loop_drop(&l->out);
		return false;
	}
	loop_want(&l->out, l->q.len ? EPOLLOUT : 0);
	return true;
}

static void out_ready(struct watch *w, uint32_t events)
{
	struct logsink *l = loop_owner(w, struct logsink, out);

	flush(l);
	if (!l->q.len && l->drained)
		l->drained(l);
}

static void add(struct logsink *l, uint32_t kind, int64_t value, const char *data, size_t len)
{
	struct piece p = {.kind = kind, .len = (uint32_t)len, .value = value};

	outq_add(&l->q, &p, sizeof(p));
	outq_add(&l->q, data, len);
}

void logsink_write(struct logsink *l, enum logfile_stream s, const char *data, size_t len)
{
	if (!l->writer) {
		logfile_write(&l->file, s, data, len);
		return;
	}
	while (len && l->out.fd >= 0) {
		size_t n = len < PIECE ? len : PIECE;

		if (l->non_blocking && l->q.len && l->q.len + n > l->max) {
			l->lost += n;
		} else {
			if (l->lost)
				add(l, LOST, (int64_t)l->lost, NULL, 0);
			l->lost = 0;
			add(l, s, clock_ns(CLOCK_REALTIME), data, n);
			flush(l);
		}
		data += n;
		len -= n;
	}
}

bool logsink_full(const struct logsink *l)
{
	return !l->non_blocking && l->q.len > 0;
}

/* Until fd is ready, or the time has come. */
static bool await(int fd, short events, int64_t until_ns)
{
	int64_t ms = (until_ns - clock_ns(CLOCK_MONOTONIC)) / 1000000;
	struct pollfd p = {.fd = fd, .events = events};

	if (ms <= 0)
		return false;
	return poll(&p, 1, (int)ms) > 0 || errno == EINTR;
}

void logsink_finish(struct logsink *l)
{
	int64_t until = clock_ns(CLOCK_MONOTONIC) + (int64_t)FINISH_MS * 1000000;

	logfile_done(&l->file);
	if (!l->writer)
		return;
	if (l->lost && l->out.fd >= 0)
		add(l, LOST, (int64_t)l->lost, NULL, 0);
	while (l->out.fd >= 0 && flush(l) && l->q.len && await(l->out.fd, POLLOUT, until))
		;
	outq_done(&l->q);
	loop_drop(&l->out);
	while (waitpid(l->writer, NULL, WNOHANG) == 0 && await(l->ended, POLLIN, until))
		;
	fd_close(l->ended);
	l->ended = -1;
	l->writer = 0;
}

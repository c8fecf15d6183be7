/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logs_journal.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/logs.h"
#include "engine/session.h"
#include "fmt/journal_export.h"
#include "fmt/logline.h"
#include "fmt/timestamp.h"
#include "store/instance.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/journal.h"
#include "sys/sdjournal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGE_MS 1000 /* in case the monitor was killed: nothing is written then */
#define SYNC_MS	    5000
#define ARGS_MAX    10
#define CHUNK	    (64u << 10)

struct reader {
	const struct logs_journal_reading *r;
	struct session *s;
	char program[256];
	char id[96], uid[32];
	char after[512];    /* "--after-cursor=...": of the last entry that was passed on */
	int64_t since_ns;   /* with --tail 0 nothing that was there before */
	struct buf pending; /* what journalctl said and no entry was made of yet */
	int ret;	    /* what ended the reading */
};

int logs_journal_check(struct err *e)
{
	int fd = sdjournal_open(SDJOURNAL_SOCKET);

	if (fd < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "--log-driver journald is not possible: " SDJOURNAL_SOCKET ": %s",
			       strerror(-fd));
	close(fd);
	return 0;
}

/* ---- entries ---- */

static int pass_on(struct reader *x, const struct journal_entry *j, const struct buf *attrs)
{
	auto_buf struct buf time = BUF_INIT(64), text = BUF_INIT(JOURNAL_EXPORT_ENTRY_MAX);
	const struct logs_query *q = x->r->q;
	struct logline l = {.err = j->err, .ns = j->ns};

	if (!j->message || j->ns < x->since_ns || (q->since_ns && j->ns < q->since_ns) ||
	    (q->until_ns && j->ns > q->until_ns))
		return 0;
	timestamp_print(j->ns, &time);
	l.time = time.p;
	l.time_len = time.len;
	if (attrs->len && !attrs->failed) {
		l.attrs = attrs->p;
		l.attrs_len = attrs->len;
	}
	buf_add(&text, j->message, j->message_len);
	buf_puts(&text, j->partial ? "" : "\n");
	return x->r->line(&l, text.p, text.len, x->r->arg);
}

static int entries(struct reader *x, struct err *e)
{
	auto_buf struct buf attrs = BUF_INIT(64u << 10);
	size_t at = 0, used;
	int r = 0;

	for (;;) {
		struct journal_entry j;

		r = journal_export_next(x->pending.p + at, x->pending.len - at, &j, &attrs, &used,
					e);
		if (r <= 0)
			break;
		at += used;
		if (j.cursor && j.cursor_len < sizeof(x->after) - 32)
			snprintf(x->after, sizeof(x->after), "--after-cursor=%.*s",
				 (int)j.cursor_len, j.cursor);
		r = pass_on(x, &j, &attrs);
		if (r < 0)
			break;
	}
	memmove(x->pending.p, x->pending.p + at, x->pending.len - at);
	x->pending.len -= at;
	return r;
}

/* 1: the end of what it says. */
static int take(struct reader *x, int fd, struct err *e)
{
	char data[CHUNK];
	ssize_t n = read(fd, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : err_sys(e, "journalctl");
	if (n == 0)
		return 1;
	buf_add(&x->pending, data, (size_t)n);
	n = buf_fail(&x->pending, "what journalctl says", e);
	return n < 0 ? (int)n : entries(x, e);
}

/* ---- journalctl ---- */

static int begin(struct reader *x, const char *first, const char *second, int *out, struct err *e)
{
	const char *argv[ARGS_MAX] = {"journalctl", "--quiet", "--no-pager", "--output=export",
				      x->id,	    x->uid,    first,	     second};
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = child_start(&(struct child_opts){.path = x->program,
					       .argv = argv,
					       .env = (const char *const *)x->s->environment,
					       .fds = (struct child_fd[]){{.from = fd[1], .to = 1}},
					       .nfds = 1});
	close(fd[1]);
	x->pending.len = 0;
	if (pid < 0) {
		close(fd[0]);
		return err_set(e, ERR_SYSTEM, "%s: %s", x->program, strerror(-pid));
	}
	*out = fd[0];
	return pid;
}

static const char *place(const struct reader *x)
{
	return *x->after ? x->after : "--no-tail";
}

/* All that is there by now. */
static int pass(struct reader *x, const char *which, struct err *e)
{
	auto_fd int fd = -1;
	int status = 0, r, pid = begin(x, which, NULL, &fd, e);

	if (pid < 0)
		return pid;
	do
		r = take(x, fd, e);
	while (r == 0);
	if (r < 0) {
		child_kill(pid);
		return r;
	}
	r = child_wait(pid, &status);
	return r == 0 && WIFEXITED(status) && WEXITSTATUS(status) <= 1
		   ? 0
		   : err_set(e, ERR_SYSTEM, "journalctl failed with status %d", status);
}

/* Until no more will be written, or the reader has enough: then 1. */
static int follow(struct reader *x, struct err *e)
{
	const struct logs_journal_reading *r = x->r;
	auto_fd int fd = -1;
	int pid = begin(x, "--follow", place(x), &fd, e), ret = 0;

	if (pid < 0)
		return pid;
	while (ret == 0 && r->goes_on(r->at)) {
		struct pollfd p[] = {{.fd = fd, .events = POLLIN},
				     {.fd = r->watch_fd, .events = POLLIN},
				     {.fd = r->q->wake_fd, .events = POLLIN}};

		if (poll(p, 3, LOOK_AGE_MS) < 0 && errno != EINTR)
			ret = err_sys(e, "poll");
		else if (p[2].revents)
			ret = 1;
		else if (p[0].revents)
			ret = take(x, fd, e);
		if (p[0].revents && ret == 1)
			ret = err_set(e, ERR_SYSTEM, "journalctl ended");
		journal_woken(r->watch_fd);
	}
	child_kill(pid);
	return ret;
}

/* What was sent before is in the journal afterwards.  Only root may ask for it. */
static void settle(struct reader *x)
{
	const char *argv[] = {"journalctl", "--sync", NULL};
	struct child_opts o = {.path = x->program,
			       .argv = argv,
			       .env = (const char *const *)x->s->environment,
			       .fds = (struct child_fd[]){{.from = -1, .to = 2}},
			       .nfds = 1};
	struct child_talk t = {.max = 1024, .ms = SYNC_MS};
	auto_free char *out = NULL;
	int status;

	child_talk(&o, &t, &out, &status);
}

/* The journal adds who sent a message, and nobody else's count: others may write any name. */
static void sender(struct reader *x)
{
	auto_free char *map = NULL;
	unsigned int outside = 0;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &map) >= 0 &&
	    sscanf(map, "%*u %u", &outside) != 1)
		outside = 0;
	snprintf(x->uid, sizeof(x->uid), "_UID=%u", outside);
}

static int find(struct reader *x, struct err *e)
{
	return child_find("journalctl", "/usr/bin:/bin:/usr/local/bin", x->program,
			  sizeof(x->program)) < 0
		   ? err_set(e, ERR_UNSUPPORTED,
			     "logs of --log-driver journald are read by journalctl, which is not "
			     "installed")
		   : 0;
}

int logs_journal_read(struct session *s, const struct instance *i,
		      const struct logs_journal_reading *r, struct err *e)
{
	struct reader x = {.r = r, .s = s, .pending = BUF_INIT(JOURNAL_EXPORT_ENTRY_MAX + CHUNK)};
	struct timespec now;
	char lines[48];
	int ret = find(&x, e);

	if (ret < 0)
		return ret;
	sender(&x);
	snprintf(x.id, sizeof(x.id), "CONTAINER_ID_FULL=%.64s", i->id);
	snprintf(lines, sizeof(lines), "--lines=%lld", (long long)r->q->tail);
	clock_gettime(CLOCK_REALTIME, &now);
	settle(&x);
	if (r->q->tail != 0)
		ret = pass(&x, r->q->tail < 0 ? "--no-tail" : lines, e);
	else
		x.since_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (ret == 0 && r->watch_fd >= 0) {
		ret = follow(&x, e);
		if (ret == 0)
			settle(&x);
		ret = ret ? ret : pass(&x, place(&x), e);
	}
	buf_free(&x.pending);
	return ret > 0 ? 0 : ret;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log is at most two files, log.1 and log, each read in pieces.  Following means: wait for a
 * change in the directory, read on; when log is another file than the one that is open, that one
 * was rotated away: it is read to its end and the new one opened.
 */
#include "engine/logs.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/session.h"
#include "fmt/logline.h"
#include "spec/record.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define PIECE	    (64u << 10)
#define LINE_MAX_   (128u << 10) /* 16 KiB of text, each byte at most 6 in JSON, and the rest */
#define LOOK_AGE_MS 1000	 /* in case the monitor was killed: nothing is written then */

struct reading {
	const struct logs_query *q;
	int (*line)(const struct logline *l, const char *text, size_t len, void *arg);
	void *arg;
	int dir, fd;
	struct buf part; /* an unfinished line */
	char piece[PIECE];
};

static int one_line(struct reading *r, const char *p, size_t n)
{
	auto_buf struct buf text = BUF_INIT(LINE_MAX_);
	struct logline l;

	if (!logline_parse(p, n, &l, &text) || (r->q->since_ns && l.ns < r->q->since_ns) ||
	    (r->q->until_ns && l.ns > r->q->until_ns))
		return 0;
	return r->line(&l, text.p, text.len, r->arg);
}

/* Everything from where the descriptor stands to the present end. */
static int read_on(struct reading *r)
{
	ssize_t n;

	while ((n = read(r->fd, r->piece, PIECE)) > 0) {
		const char *p = r->piece, *end = p + n, *nl;

		while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
			int ret;

			buf_add(&r->part, p, (size_t)(nl - p));
			ret = r->part.failed ? 0 : one_line(r, r->part.p, r->part.len);
			buf_free(&r->part);
			r->part = BUF_INIT(LINE_MAX_);
			if (ret < 0)
				return ret;
			p = nl + 1;
		}
		buf_add(&r->part, p, (size_t)(end - p));
	}
	return 0;
}

/* How many line ends the file has, and with want > 0 the offset behind which so many lie. */
static int64_t count_back(struct reading *r, int fd, int64_t want, int64_t *lines)
{
	int64_t at = lseek(fd, 0, SEEK_END), found = 0;

	while (at > 0) {
		size_t n = at < (int64_t)PIECE ? (size_t)at : PIECE;

		at -= (int64_t)n;
		if (pread(fd, r->piece, n, at) != (ssize_t)n)
			break;
		for (size_t i = n; i--;)
			if (r->piece[i] == '\n' && found++ == want) {
				*lines = want;
				return at + (int64_t)i + 1;
			}
	}
	*lines = found;
	return 0;
}

static int reopen(struct reading *r, const char *name)
{
	fd_close(r->fd);
	r->fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
	return r->fd < 0 ? -errno : 0;
}

/* The older file first, as far as the wanted tail reaches back into it. */
static int read_kept(struct reading *r)
{
	int64_t want = r->q->tail, have = 0, start = 0;
	int ret = 0;

	if (want >= 0 && reopen(r, "log") == 0)
		start = count_back(r, r->fd, want, &have);
	if ((want < 0 || have < want) && reopen(r, "log.1") == 0) {
		int64_t older = 0;

		lseek(r->fd, want < 0 ? 0 : count_back(r, r->fd, want - have, &older), SEEK_SET);
		ret = read_on(r);
	}
	if (ret < 0 || reopen(r, "log") < 0)
		return ret;
	lseek(r->fd, start, SEEK_SET);
	return read_on(r);
}

static bool rotated(const struct reading *r)
{
	struct stat mine, named;

	return r->fd < 0 || fstat(r->fd, &mine) < 0 || fstatat(r->dir, "log", &named, 0) < 0 ||
	       mine.st_ino != named.st_ino;
}

static int follow(struct reading *r, int run_fd, const char *id, struct err *e)
{
	char path[48], events[4096];
	auto_fd int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fds[2];
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir);
	if (in < 0 || inotify_add_watch(in, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_sys(e, "watch the log");
	fds[0] = (struct pollfd){.fd = in, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = r->q->wake_fd, .events = POLLIN};
	while (ret == 0) {
		/* Asked before reading: what was written before the end is then read after it. */
		bool alive =
		    instance_alive(run_fd, id) && faccessat(r->dir, "exit.json", F_OK, 0) < 0;

		ret = read_on(r);
		while (ret == 0 && rotated(r) && reopen(r, "log") == 0)
			ret = read_on(r);
		if (!alive || ret < 0)
			break;
		if (poll(fds, 2, LOOK_AGE_MS) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (fds[1].revents)
			break;
		while (read(in, events, sizeof(events)) > 0)
			;
	}
	return ret;
}

int logs_read(struct session *s, const struct instance *i, const struct logs_query *q,
	      int (*line)(const struct logline *, const char *, size_t, void *), void *arg,
	      struct err *e)
{
	struct reading r = {
	    .q = q, .line = line, .arg = arg, .fd = -1, .part = BUF_INIT(LINE_MAX_)};
	auto_fd int dir = -1;
	struct store *store;
	char path[96];
	int ret = session_store(s, &store, e);

	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "instances/%.64s", i->id);
	dir = openat(store_root_fd(store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "log of '%s'", i->name);
	r.dir = dir;
	ret = read_kept(&r);
	if (ret == 0 && q->follow)
		ret = follow(&r, store_run_fd(store), i->id, e);
	fd_close(r.fd);
	buf_free(&r.part);
	return ret;
}

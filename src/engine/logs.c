/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logs.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/logs_journal.h"
#include "engine/request.h"
#include "engine/session.h"
#include "fmt/logline.h"
#include "spec/logconf.h"
#include "spec/record.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_   (128u << 10) /* 16 KiB of text, each byte at most 6 in JSON, and the rest */
#define LOOK_AGE_MS 1000	 /* in case the monitor was killed: nothing is written then */

struct reading {
	const struct logs_query *q;
	int (*line)(const struct logline *l, const char *text, size_t len, void *arg);
	void *arg;
};

static int one_line(const char *p, size_t n, void *arg)
{
	auto_buf struct buf text = BUF_INIT(LINE_MAX_);
	const struct reading *r = arg;
	struct logline l;

	if (!logline_parse(p, n, &l, &text) || (r->q->since_ns && l.ns < r->q->since_ns) ||
	    (r->q->until_ns && l.ns > r->q->until_ns))
		return 0;
	return r->line(&l, text.p, text.len, r->arg);
}

/* enum logconf_driver of the instance.  With none there is nothing, and it should not look like
 * silence. */
static int driver_of(const struct instance *i, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct logconf c;
	int r = jbind_parse(&request_table, i->request, strlen(i->request), &q, &a, "request", e);

	if (r == 0)
		r = logconf_parse(q.log_driver, &q.log_opts, NULL, &a, &c, e);
	if (r < 0)
		return r;
	return c.driver == LOGCONF_NONE
		   ? err_set(e, ERR_UNSUPPORTED, "instance '%s' keeps no log: --log-driver none",
			     i->name)
		   : c.driver;
}

/* Will more be written?  One that a policy starts again goes on, in another monitor. */
static bool goes_on(int dir, int run_fd, const char *id)
{
	return faccessat(dir, "again.json", F_OK, 0) == 0 ||
	       (instance_alive(run_fd, id) && faccessat(dir, "exit.json", F_OK, 0) < 0);
}

/* Milliseconds until nothing that is written is asked for any more; 0: it is so now. */
static int time_left(const struct logs_query *q)
{
	struct timespec t;
	int64_t ms;

	if (!q->until_ns)
		return LOOK_AGE_MS;
	clock_gettime(CLOCK_REALTIME, &t);
	ms = (q->until_ns - ((int64_t)t.tv_sec * 1000000000 + t.tv_nsec) + 999999) / 1000000;
	return ms < 0 ? 0 : ms < LOOK_AGE_MS ? (int)ms : LOOK_AGE_MS;
}

static int follow(struct journal_reader *j, const struct logs_query *q, int watch, int run_fd,
		  const char *id, struct err *e)
{
	struct pollfd fds[2] = {{.fd = watch, .events = POLLIN},
				{.fd = q->wake_fd, .events = POLLIN}};
	int ret = 0;

	while (ret == 0) {
		/* Asked before reading: what was written before the end is then read after it. */
		int left = time_left(q);
		bool more = left && goes_on(j->dir_fd, run_fd, id);

		ret = journal_read_on(j);
		if (!more || ret < 0)
			break;
		if (poll(fds, 2, left) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (fds[1].revents)
			break;
		journal_woken(watch);
	}
	return ret;
}

struct place {
	int dir, run_fd;
	const char *id;
};

static bool place_goes_on(void *at)
{
	const struct place *p = at;

	return goes_on(p->dir, p->run_fd, p->id);
}

int logs_read(struct session *s, const struct instance *i, const struct logs_query *q,
	      int (*line)(const struct logline *, const char *, size_t, void *), void *arg,
	      struct err *e)
{
	struct reading r = {.q = q, .line = line, .arg = arg};
	struct journal_reader j = {
	    .name = "log", .line_max = LINE_MAX_, .line = one_line, .arg = &r};
	auto_fd int dir = -1, watch = -1;
	struct store *store;
	char path[96];
	int driver, ret = session_store(s, &store, e);

	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "instances/%.64s", i->id);
	dir = openat(store_root_fd(store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "log of '%s'", i->name);
	driver = driver_of(i, e);
	if (driver < 0)
		return driver;
	j.dir_fd = dir;
	watch = q->follow ? journal_watch(dir) : -1;
	if (q->follow && watch < 0) {
		errno = -watch;
		return err_sys(e, "watch the log");
	}
	if (driver == LOGCONF_JOURNALD) {
		struct place at = {dir, store_run_fd(store), i->id};

		return logs_journal_read(s, i,
					 &(struct logs_journal_reading){.q = q,
									.line = line,
									.arg = arg,
									.goes_on = place_goes_on,
									.at = &at,
									.watch_fd = watch},
					 e);
	}
	ret = journal_read(&j, q->tail);
	if (ret == 0 && q->follow)
		ret = follow(&j, q, watch, store_run_fd(store), i->id, e);
	journal_done(&j);
	return ret;
}

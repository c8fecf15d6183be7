/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/logfile.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/timestamp.h"
#include "fmt/utf8.h"
#include "monitor/logjournal.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"stdout", "stderr"};

int logfile_open(struct logfile *l, int dir_fd, const struct plan_caisson *plan, struct err *e)
{
	const struct logconf *c = &plan->log;
	struct stat st;

	l->dir_fd = dir_fd;
	l->max_bytes = (uint64_t)c->max_bytes;
	l->max_files = (unsigned int)c->max_files;
	if (c->driver == LOGCONF_NONE)
		return 0;
	if (c->driver == LOGCONF_JOURNALD)
		return logjournal_open(plan, &l->journal, e);
	if (c->attrs && !(l->attrs = strdup(c->attrs)))
		abort();
	l->fd = openat(dir_fd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return err_sys(e, "log of the instance");
	l->size = (uint64_t)st.st_size;
	return 0;
}

bool logfile_keeps(const struct logfile *l)
{
	return l->fd >= 0 || l->journal;
}

static int64_t time_of(const struct logfile *l)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return l->at_ns ? l->at_ns : (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Readers that follow see the name change and read the old file to its end. */
static void rotate(struct logfile *l)
{
	int fd;

	if (journal_rotate(l->dir_fd, "log", l->max_files) < 0)
		return;
	fd = openat(l->dir_fd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	fd_close(l->fd);
	l->fd = fd;
	l->size = 0;
}

static void put(struct logfile *l, const struct buf *b)
{
	if (l->size && l->size + b->len > l->max_bytes)
		rotate(l);
	if (fd_write_all(l->fd, b->p, b->len) == 0) {
		l->size += b->len;
		return;
	}
	l->lost += b->len;
	/* No half lines: readers want one object per line. */
	if (ftruncate(l->fd, (off_t)l->size) < 0)
		rotate(l);
}

static void line(const struct logfile *l, struct buf *b, enum logfile_stream s, const char *data,
		 size_t len)
{
	buf_puts(b, "{\"log\":\"");
	utf8_json(b, data, len);
	buf_puts(b, "\",\"stream\":\"");
	buf_puts(b, names[s]);
	buf_puts(b, "\"");
	if (l->attrs) {
		buf_puts(b, ",\"attrs\":");
		buf_puts(b, l->attrs);
	}
	buf_puts(b, ",\"time\":\"");
	timestamp_print(time_of(l), b);
	buf_puts(b, "\"}\n");
}

static void to_journal(struct logfile *l, enum logfile_stream s, const char *data, size_t len)
{
	struct logjournal_line j = {data, len, time_of(l), s == LOGFILE_STDERR};

	if (logjournal_line(l->journal, &j) < 0)
		l->lost += len;
}

/* False: there is still no room. */
static bool tell_lost(struct logfile *l, struct buf *b)
{
	uint64_t lost = l->lost;
	char note[80];
	int n = snprintf(note, sizeof(note), "[caisson: %llu bytes of log were lost]\n",
			 (unsigned long long)lost);

	l->lost = 0;
	if (l->journal) {
		to_journal(l, LOGFILE_STDERR, note, (size_t)n);
	} else {
		line(l, b, LOGFILE_STDERR, note, (size_t)n);
		put(l, b);
		b->len = 0;
	}
	if (!l->lost)
		return true;
	l->lost = lost;
	return false;
}

static void emit(struct logfile *l, struct buf *b, enum logfile_stream s, const char *data,
		 size_t len)
{
	if (l->lost && !tell_lost(l, b)) {
		l->lost += len;
		return;
	}
	if (l->journal) {
		to_journal(l, s, data, len);
		return;
	}
	line(l, b, s, data, len);
	/* Lines that came together are written together. */
	if (b->len > 32u << 10 || b->len > l->max_bytes / 4) {
		put(l, b);
		b->len = 0;
	}
}

void logfile_write(struct logfile *l, enum logfile_stream s, const char *data, size_t len)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	if (!logfile_keeps(l))
		return;
	while (len) {
		const char *nl = memchr(data, '\n', len);
		size_t n = nl ? (size_t)(nl - data) + 1 : len, had = l->part[s].len;

		if (had + n > LOGFILE_LINE)
			n = LOGFILE_LINE - had;
		if (!had && (data[n - 1] == '\n' || n == LOGFILE_LINE)) {
			emit(l, &b, s, data, n);
		} else {
			if (!l->part[s].p && !(l->part[s].p = malloc(LOGFILE_LINE)))
				abort();
			memcpy(l->part[s].p + had, data, n);
			l->part[s].len = had + n;
			if (data[n - 1] == '\n' || l->part[s].len == LOGFILE_LINE) {
				emit(l, &b, s, l->part[s].p, l->part[s].len);
				l->part[s].len = 0;
			}
		}
		data += n;
		len -= n;
	}
	if (b.len)
		put(l, &b);
}

void logfile_flush(struct logfile *l)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	for (int s = 0; logfile_keeps(l) && s < LOGFILE_STREAM_MAX_; s++) {
		if (l->part[s].len)
			emit(l, &b, (enum logfile_stream)s, l->part[s].p, l->part[s].len);
		l->part[s].len = 0;
	}
	if (l->lost && logfile_keeps(l))
		tell_lost(l, &b);
	if (b.len)
		put(l, &b);
}

void logfile_done(struct logfile *l)
{
	logfile_flush(l);
	logfile_leave(l);
}

void logfile_leave(struct logfile *l)
{
	for (int s = 0; s < LOGFILE_STREAM_MAX_; s++)
		free(l->part[s].p);
	fd_close(l->fd);
	free(l->attrs);
	logjournal_close(l->journal);
	*l = LOGFILE_INIT;
}

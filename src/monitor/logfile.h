/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logfile - the output of an instance, in docker's json-file format: one object per line,
 * {"log":"text\n","stream":"stdout","time":"2026-11-21T12:00:00.000000001Z"}.
 *
 * Output is cut at line ends, and at 16 KiB where no end comes (then "log" has no "\n").  The file
 * is bounded: past max_bytes it becomes log.1, that one log.2, and so on up to max_files of them.
 * Bytes that are not UTF-8 become U+FFFD.  Writing never fails the workload: what a full disk does
 * not take is lost, and the count of lost bytes is written as a line when there is room again.
 *
 * With driver journald the same lines go to systemd's journal instead (monitor/logjournal.h).
 */
#ifndef MONITOR_LOGFILE_H
#define MONITOR_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define LOGFILE_LINE (16u << 10)

enum logfile_stream { LOGFILE_STDOUT, LOGFILE_STDERR, LOGFILE_STREAM_MAX_ };

struct logfile {
	int dir_fd, fd; /* borrowed; own */
	uint64_t size, lost, max_bytes;
	unsigned int max_files;
	char *attrs;		    /* heap: what every line carries, or NULL */
	struct logjournal *journal; /* instead of the file, or NULL */
	int64_t at_ns;		    /* when what comes was written; 0: now */
	struct {
		char *p; /* an unfinished line */
		size_t len;
	} part[LOGFILE_STREAM_MAX_];
};
#define LOGFILE_INIT ((struct logfile){.dir_fd = -1, .fd = -1})

/* Appends to dir_fd/log; dir_fd stays the caller's.  With driver none nothing is written. */
struct plan_caisson;
int logfile_open(struct logfile *l, int dir_fd, const struct plan_caisson *c, struct err *e);
/* Does it keep anything? */
bool logfile_keeps(const struct logfile *l);
void logfile_write(struct logfile *l, enum logfile_stream s, const char *data, size_t len);
/* Unfinished lines are written as they are. */
void logfile_flush(struct logfile *l);
void logfile_done(struct logfile *l);
/* As logfile_done(), but what is unfinished is left to another process that has the same. */
void logfile_leave(struct logfile *l);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - a line file of bounded size that several processes write and others follow: NAME, and
 * the older NAME.1 .. NAME.(files-1), which it becomes when it is full.
 *
 * A line appears whole or not at all, and lines of one file stand in the order in which they were
 * written.  A reader that follows finds where to go on by the file's inode, so it loses nothing
 * unless it falls behind by all files together.
 */
#ifndef SYS_JOURNAL_H
#define SYS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal_bounds {
	uint64_t bytes;	    /* of one file */
	unsigned int files; /* at least 1: then a full file begins anew */
};

/* Make room: NAME becomes NAME.1 and so on, the oldest goes.  0 or -errno. */
int journal_rotate(int dir_fd, const char *name, unsigned int files);

/* Append one line (with its line end) under a lock, rotating first when it would not fit.  0 or
 * -errno. */
int journal_append(int dir_fd, const char *name, const struct journal_bounds *b, const void *line,
		   size_t len);

struct journal_reader {
	int dir_fd; /* borrowed */
	const char *name;
	size_t line_max; /* longer ones are passed over */
	/* Called for each line without its end; what it returns != 0 ends the reading. */
	int (*line)(const char *line, size_t len, void *arg);
	void *arg;
	/* private */
	int fd;
	char *part;
	size_t part_len;
	bool skip;
};

/* Everything that is there, oldest first; with last >= 0 only so many lines from the end.  Returns
 * 0, what line() returned, or -errno. */
int journal_read(struct journal_reader *r, int64_t last);
/* What came since. */
int journal_read_on(struct journal_reader *r);
void journal_done(struct journal_reader *r);

/* An inotify descriptor, non-blocking, that wakes when something in the directory is written or
 * renamed; -errno. */
int journal_watch(int dir_fd);
/* Forget what woke it. */
void journal_woken(int watch_fd);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* live - a running caisson-workload: commands go in, the time until its answer is taken here. */
#ifndef COMPARE_LIVE_H
#define COMPARE_LIVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define LIVE_TEXT 4096

struct live {
	pid_t pid; /* of the command that was started: the workload itself, or `caisson run` */
	int in, out;
	int64_t begin_ns, ready_ns; /* started, and its first line was here */
	int64_t way_ns;		    /* of a question and its answer; 0 before live_ahead() */
	int64_t main_ns;	    /* its main() began, by the clock inside */
	size_t len;
	char text[LIVE_TEXT]; /* read and not yet returned */
};
#define LIVE_INIT ((struct live){.pid = -1, .in = -1, .out = -1})

/* Start argv and wait for "ready". On failure *e holds the last line the command wrote to stdout or
 * stderr. */
int live_open(struct live *l, const char *const *argv, const char *const *env, int64_t timeout_ns,
	      struct err *e);

/* Ns of one command ("cpu 1000"), the way to it and back not counted.  ERR_SYSTEM with what the
 * workload says after "failed". */
int live_time(struct live *l, const char *command, int64_t timeout_ns, int64_t *ns, struct err *e);

/* One question ("kernel") and its one line of answer. */
int live_ask(struct live *l, const char *command, int64_t timeout_ns, char *answer, size_t size,
	     struct err *e);

/* The same in two steps, for answers of several lines. */
int live_send(struct live *l, const char *command, struct err *e);
int live_line(struct live *l, int64_t deadline_ns, char *out, size_t size, struct err *e);

/* What the clock inside is ahead of ours: of some questions the one that was answered soonest, the
 * middle of its way taken.  Wrong by at most half of that way. */
int live_ahead(struct live *l, int64_t timeout_ns, int64_t *ahead_ns, struct err *e);

/* End of file on its stdin, and wait; killed when it does not end in ten seconds.  Safe on
 * LIVE_INIT. */
void live_close(struct live *l);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logsink - where the main process's output goes: its log file, or a writer of its own.
 *
 * A file takes what is written while the disk does; the monitor writes it itself.  The journal may
 * stand still for as long as it likes, and --log-opt mode=non-blocking wants that nobody waits for
 * the disk: then a child of the monitor writes, and what it has not taken waits here.
 * With mode=blocking the workload is not read from meanwhile (logsink_full()); else what does not
 * fit into max-buffer-size is lost, and the log says how much.  The writer ends when its input
 * does, also after a kill -9 of the monitor.
 */
#ifndef MONITOR_LOGSINK_H
#define MONITOR_LOGSINK_H

#include "monitor/logfile.h"
#include "monitor/loop.h"
#include "monitor/outq.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct plan_caisson;

struct logsink {
	struct logfile file; /* without a writer */
	struct watch out;    /* to the writer */
	pid_t writer;	     /* 0: none */
	int ended;	     /* its pidfd */
	struct outq q;
	size_t max;    /* of q, when non_blocking */
	uint64_t lost; /* bytes, not told yet */
	bool non_blocking;
	void (*drained)(struct logsink *l);
};
#define LOGSINK_INIT ((struct logsink){.file = LOGFILE_INIT, .out = WATCH_INIT, .ended = -1})

/* dir_fd: of the instance, borrowed.  drained: logsink_full() became false. */
int logsink_open(struct logsink *l, struct loop *loop, int dir_fd, const struct plan_caisson *c,
		 struct err *e);
void logsink_write(struct logsink *l, enum logfile_stream s, const char *data, size_t len);
/* Output must wait. */
bool logsink_full(const struct logsink *l);
/* Nothing more will come: when this returns, readers find all of it, unless the writer did not get
 * on within some seconds. */
void logsink_finish(struct logsink *l);

#endif

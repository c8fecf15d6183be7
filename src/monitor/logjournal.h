/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logjournal - lines of an instance as messages of systemd's journal, with docker's field names:
 * MESSAGE, PRIORITY (6 from stdout, 3 from stderr), CONTAINER_ID, CONTAINER_ID_FULL,
 * CONTAINER_NAME, CONTAINER_TAG, SYSLOG_IDENTIFIER, SYSLOG_TIMESTAMP, IMAGE_NAME,
 * CONTAINER_LOG_EPOCH and CONTAINER_LOG_ORDINAL, CONTAINER_PARTIAL_MESSAGE=true where no line end
 * belongs behind it, and what --log-opt labels and env ask for.
 */
#ifndef MONITOR_LOGJOURNAL_H
#define MONITOR_LOGJOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct logjournal;
struct plan_caisson;

struct logjournal_line {
	const char *text; /* with its line end, if it has one */
	size_t len;
	int64_t ns; /* since the epoch */
	bool err;   /* from stderr */
};

/* Errors: ERR_UNSUPPORTED no journal listens here. */
int logjournal_open(const struct plan_caisson *c, struct logjournal **out, struct err *e);
/* Its descriptor, for who closes all others. */
int logjournal_fd(const struct logjournal *j);
/* Waits while the journal does.  < 0: the line is lost. */
int logjournal_line(struct logjournal *j, const struct logjournal_line *l);
void logjournal_close(struct logjournal *j);

#endif

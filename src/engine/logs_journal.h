/* SPDX-License-Identifier: Apache-2.0 */
/* logs_journal - what an instance wrote to systemd's journal (--log-driver journald), read back
 * through journalctl. */
#ifndef ENGINE_LOGS_JOURNAL_H
#define ENGINE_LOGS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct instance;
struct logline;
struct logs_query;
struct session;

/* Before anything is created.  ERR_UNSUPPORTED: no journal listens on this host. */
int logs_journal_check(struct err *e);

struct logs_journal_reading {
	const struct logs_query *q;
	int (*line)(const struct logline *l, const char *text, size_t len, void *arg);
	void *arg;
	/* Will more be written?  watch_fd: readable when the answer may have changed. */
	bool (*goes_on)(void *at);
	void *at;
	int watch_fd; /* -1: not followed */
};

/* Errors: ERR_UNSUPPORTED journalctl is not installed; ERR_SYSTEM it failed. */
int logs_journal_read(struct session *s, const struct instance *i,
		      const struct logs_journal_reading *r, struct err *e);

#endif

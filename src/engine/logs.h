/* SPDX-License-Identifier: Apache-2.0 */
/* logs - what an instance wrote, from its log, and what it writes while one looks on. */
#ifndef ENGINE_LOGS_H
#define ENGINE_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct instance;
struct logline;
struct session;

struct logs_query {
	int64_t tail;		    /* lines from the end; < 0: all */
	int64_t since_ns, until_ns; /* since the epoch; 0: no bound */
	bool follow;		    /* until the instance has ended */
	int wake_fd;		    /* readable: stop following; -1: none */
};

/* Calls line() for each; what it returns < 0 ends the reading. */
int logs_read(struct session *s, const struct instance *i, const struct logs_query *q,
	      int (*line)(const struct logline *l, const char *text, size_t len, void *arg),
	      void *arg, struct err *e);

#endif

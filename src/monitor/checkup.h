/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkup - asks the instance in intervals whether it is well, by a process of its own in it
 * (spec/health.h), and keeps health.json.
 *
 * One process at a time; the next one begins an interval after the last one ended, as docker does.
 * What it prints is kept to HEALTH_OUTPUT bytes, and one that does not end in time is killed.
 * Failures within the start period do not count.
 */
#ifndef MONITOR_CHECKUP_H
#define MONITOR_CHECKUP_H

#include "base/arena.h"
#include "monitor/loop.h"
#include "spec/health.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct plan;
struct proc;
struct server;

struct checkup_result {
	int64_t start_ns, end_ns, code;
	char *output; /* heap */
};

struct checkup {
	struct server *server;
	struct arena arena;
	struct health config; /* .test.n == 0: there is none */
	enum { CHECKUP_LEAVE, CHECKUP_KILL, CHECKUP_STOP } unhealthy;
	struct watch timer, limit;
	struct proc *probe; /* the one that runs */
	char *output;	    /* of it, heap */
	size_t output_len;
	bool late;
	int64_t began_ns, probe_ns; /* since the epoch */
	enum health_status status;
	int64_t streak;
	struct checkup_result log[HEALTH_LOG]; /* oldest first */
	size_t log_n;
};
#define CHECKUP_INIT ((struct checkup){.timer = WATCH_INIT, .limit = WATCH_INIT})

/* What is needed of the plan is copied. */
void checkup_init(struct checkup *c, struct server *s, const struct plan *p);
void checkup_begin(struct checkup *c); /* it runs */
void checkup_end(struct checkup *c);   /* it has ended; safe at any time, frees everything */

/* From the server, about c->probe. */
void checkup_output(struct checkup *c, const char *data, size_t len);
void checkup_ended(struct checkup *c, int status);
void checkup_failed(struct checkup *c, const struct err *why);

#endif

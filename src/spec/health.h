/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health - how an instance is asked whether it is well, and what it answered.
 *
 * The members are docker's (HEALTHCHECK of an image, State.Health of an instance), so one table
 * reads an image's configuration, travels in the plan, and shows in inspect.
 */
#ifndef SPEC_HEALTH_H
#define SPEC_HEALTH_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct health {
	struct strs test; /* "NONE"; "CMD", ARGS..; "CMD-SHELL", TEXT */
	int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: the default */
	int64_t retries;						     /* 0: the default */
};
extern const struct jbind health_table;

/* The defaults where nothing was said: 30 s, 30 s, 0 s, 5 s, 3. */
void health_defaults(struct health *h);
/* Is there anything to run? */
bool health_wanted(const struct health *h);
/* The command line, in a. */
struct strs health_command(const struct health *h, struct arena *a);
/* ERR_USAGE: a test of another form, negative times. */
int health_check(const struct health *h, struct err *e);

enum health_status { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH_STATUS_MAX_ };
extern const char *const health_status_names[]; /* NULL-terminated */

#define HEALTH_LOG    5	   /* the newest results that are kept */
#define HEALTH_OUTPUT 4096 /* bytes of each */

struct health_result {
	const char *start, *end; /* RFC 3339 */
	int64_t exit_code;	 /* -1: it did not end in time, or could not be run */
	const char *output;
};
struct health_report {
	int status; /* enum health_status */
	int64_t failing_streak;
	struct {
		struct health_result *v;
		size_t n;
	} log;
};
extern const struct jbind health_report_table;

#endif

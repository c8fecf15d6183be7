/* SPDX-License-Identifier: Apache-2.0 */
/* policy - what becomes of an instance when it has ended: docker's restart policies. */
#ifndef SPEC_POLICY_H
#define SPEC_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct err;

enum policy_restart {
	POLICY_NO,
	POLICY_ON_FAILURE,
	POLICY_ALWAYS,
	POLICY_UNLESS_STOPPED,
	POLICY_RESTART_MAX_
};
extern const char *const policy_restart_names[]; /* NULL-terminated */

struct policy {
	enum policy_restart restart;
	int64_t max; /* of on-failure; 0: no bound */
};

/* "no", "on-failure:3", "always", "unless-stopped"; NULL and "" are "no".  ERR_USAGE. */
int policy_parse(const char *text, struct policy *out, struct err *e);

/* An instance has ended.  stopped: somebody asked for it. */
struct policy_end {
	int64_t code, restarts; /* restarts: how many there were since it was started by hand */
	bool stopped;
};
/* Is it to be started again? */
bool policy_again(const struct policy *p, const struct policy_end *end);

/* How long to wait before: 100 ms, twice as long after each run of less than ten seconds, at most
 * a minute.  before_ms: the wait before the run that has ended, 0: none.  As docker's. */
int64_t policy_wait_ms(int64_t before_ms, int64_t ran_ms);

#endif

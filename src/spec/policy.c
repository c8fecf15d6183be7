/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/policy.h"
#include "base/err.h"
#include "base/str.h"

#include <stdlib.h>

#define FIRST_MS   100
#define LONGEST_MS 60000
#define CALM_MS	   10000

const char *const policy_restart_names[] = {"no", "on-failure", "always", "unless-stopped", NULL};
_Static_assert(sizeof(policy_restart_names) / sizeof(*policy_restart_names) ==
		   POLICY_RESTART_MAX_ + 1,
	       "a name per policy");

int policy_parse(const char *text, struct policy *out, struct err *e)
{
	const char *s = text && *text ? text : "no", *colon = strchrnul(s, ':');
	char *end;

	for (int i = 0; policy_restart_names[i]; i++) {
		struct policy p = {.restart = (enum policy_restart)i};

		if (strlen(policy_restart_names[i]) != (size_t)(colon - s) ||
		    strncmp(policy_restart_names[i], s, (size_t)(colon - s)) != 0)
			continue;
		if (*colon) {
			p.max = strtol(colon + 1, &end, 10);
			if (i != POLICY_ON_FAILURE || !colon[1] || *end || p.max < 0 ||
			    p.max > INT32_MAX)
				break;
		}
		*out = p;
		return 0;
	}
	return err_set(e, ERR_USAGE,
		       "--restart is no, on-failure[:TIMES], always or unless-stopped, not '%.60s'",
		       s);
}

bool policy_again(const struct policy *p, const struct policy_end *end)
{
	switch (p->restart) {
	case POLICY_ON_FAILURE:
		return !end->stopped && end->code != 0 && (!p->max || end->restarts < p->max);
	case POLICY_ALWAYS:
	case POLICY_UNLESS_STOPPED:
		return !end->stopped;
	case POLICY_NO:
	case POLICY_RESTART_MAX_:
		break;
	}
	return false;
}

int64_t policy_wait_ms(int64_t before_ms, int64_t ran_ms)
{
	if (before_ms <= 0 || ran_ms >= CALM_MS)
		return FIRST_MS;
	return before_ms < LONGEST_MS / 2 ? before_ms * 2 : LONGEST_MS;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/health.h"
#include "base/err.h"
#include "base/str.h"

#define SECOND 1000000000ll

#define H(member, key, type) JB(struct health, member, key, type)
static const struct jbind_field fields[] = {
    H(test, "Test", JBIND_STRS),
    H(interval_ns, "Interval", JBIND_INT),
    H(timeout_ns, "Timeout", JBIND_INT),
    H(start_period_ns, "StartPeriod", JBIND_INT),
    H(start_interval_ns, "StartInterval", JBIND_INT),
    H(retries, "Retries", JBIND_INT),
    JB_END,
};
const struct jbind health_table = {.size = sizeof(struct health), .fields = fields};

const char *const health_status_names[] = {"starting", "healthy", "unhealthy", NULL};
_Static_assert(sizeof(health_status_names) / sizeof(*health_status_names) == HEALTH_STATUS_MAX_ + 1,
	       "a name per status");

#define R(member, key, type) JB(struct health_result, member, key, type, .flags = JBIND_KEEP)
static const struct jbind_field result_fields[] = {
    R(start, "Start", JBIND_STR),
    R(end, "End", JBIND_STR),
    R(exit_code, "ExitCode", JBIND_INT),
    R(output, "Output", JBIND_STR),
    JB_END,
};
static const struct jbind result_table = {.size = sizeof(struct health_result),
					  .fields = result_fields};

static const struct jbind_field report_fields[] = {
    JB(struct health_report, status, "Status", JBIND_ENUM, .flags = JBIND_KEEP,
       .names = health_status_names),
    JB(struct health_report, failing_streak, "FailingStreak", JBIND_INT, .flags = JBIND_KEEP),
    JB(struct health_report, log, "Log", JBIND_LIST, .flags = JBIND_KEEP, .sub = &result_table),
    JB_END,
};
const struct jbind health_report_table = {.size = sizeof(struct health_report),
					  .fields = report_fields};

void health_defaults(struct health *h)
{
	h->interval_ns = h->interval_ns ? h->interval_ns : 30 * SECOND;
	h->timeout_ns = h->timeout_ns ? h->timeout_ns : 30 * SECOND;
	h->start_interval_ns = h->start_interval_ns ? h->start_interval_ns : 5 * SECOND;
	h->retries = h->retries ? h->retries : 3;
}

bool health_wanted(const struct health *h)
{
	return h->test.n > 1 && !streq(h->test.v[0], "NONE");
}

struct strs health_command(const struct health *h, struct arena *a)
{
	bool shell = streq(h->test.v[0], "CMD-SHELL");
	struct strs l = {0};

	if (shell) {
		arena_strs_add(a, &l, "/bin/sh");
		arena_strs_add(a, &l, "-c");
	}
	for (size_t i = 1; i < h->test.n; i++)
		arena_strs_add(a, &l, h->test.v[i]);
	return l;
}

int health_check(const struct health *h, struct err *e)
{
	const char *kind = h->test.n ? h->test.v[0] : "NONE";

	if (!streq(kind, "NONE") && !streq(kind, "CMD") && !streq(kind, "CMD-SHELL") && *kind)
		return err_set(e, ERR_USAGE,
			       "a health check is NONE, CMD or CMD-SHELL, not '%.40s'", kind);
	if (streq(kind, "CMD-SHELL") && h->test.n != 2)
		return err_set(e, ERR_USAGE, "a health check of CMD-SHELL has one text");
	if (h->interval_ns < 0 || h->timeout_ns < 0 || h->start_period_ns < 0 ||
	    h->start_interval_ns < 0 || h->retries < 0)
		return err_set(e, ERR_USAGE, "a health check has no negative times and retries");
	return 0;
}

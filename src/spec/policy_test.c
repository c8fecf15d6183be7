/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"

#include "spec/policy.h"
#include <errno.h>

TEST(parses_dockers_four)
{
	struct policy p = {0};
	struct err e = ERR_INIT;

	CHECK_INT(policy_parse(NULL, &p, &e), 0);
	CHECK_INT(p.restart, POLICY_NO);
	CHECK_INT(policy_parse("on-failure:3", &p, &e), 0);
	CHECK_INT(p.restart, POLICY_ON_FAILURE);
	CHECK_INT(p.max, 3);
	CHECK_INT(policy_parse("unless-stopped", &p, &e), 0);
	CHECK_INT(p.restart, POLICY_UNLESS_STOPPED);
}

TEST(refuses_the_rest)
{
	static const char *const bad[] = {"sometimes", "on-failure:",	"on-failure:-1",
					  "always:3",  "on-failure:1x", "on-failure:99999999999",
					  "alway",     "alwayss"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy p = {.max = 42};
		struct err e = ERR_INIT;

		CHECK_INT(policy_parse(bad[i], &p, &e), -EINVAL);
		CHECK_INT(p.max, 42);
	}
}

TEST(who_is_started_again)
{
	static const struct {
		struct policy p;
		struct policy_end end;
		bool again;
	} t[] = {
	    {{POLICY_NO, 0}, {1, 0, false}, false},
	    {{POLICY_ALWAYS, 0}, {0, 99, false}, true},
	    {{POLICY_ALWAYS, 0}, {0, 0, true}, false},
	    {{POLICY_UNLESS_STOPPED, 0}, {0, 0, true}, false},
	    {{POLICY_UNLESS_STOPPED, 0}, {0, 0, false}, true},
	    {{POLICY_ON_FAILURE, 0}, {0, 0, false}, false},
	    {{POLICY_ON_FAILURE, 0}, {3, 1000, false}, true},
	    {{POLICY_ON_FAILURE, 2}, {3, 1, false}, true},
	    {{POLICY_ON_FAILURE, 2}, {3, 2, false}, false},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		CHECK_INT(policy_again(&t[i].p, &t[i].end), t[i].again);
}

TEST(waits_longer_each_time_until_it_ran_well)
{
	int64_t ms = 0, all[12];

	for (int i = 0; i < 12; i++)
		all[i] = ms = policy_wait_ms(ms, 5);
	CHECK_INT(all[0], 100);
	CHECK_INT(all[1], 200);
	CHECK_INT(all[8], 25600);
	CHECK_INT(all[9], 51200);
	CHECK_INT(all[11], 60000);
	CHECK_INT(policy_wait_ms(60000, 10000), 100);
}

TEST_MAIN(T(parses_dockers_four), T(refuses_the_rest), T(who_is_started_again),
	  T(waits_longer_each_time_until_it_ran_well))

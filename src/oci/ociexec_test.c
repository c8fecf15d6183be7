/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "oci/ocictl.h"
#include "oci/ociexec.h"
#include "spec/plan.h"

#include <signal.h>

TEST(users_are_numbers_and_nothing_else)
{
	static const char *const bad[] = {"",	  "x",	   "1x",	 "-1",
					  "+1",	  " 1",	   "1 ",	 ":1",
					  "1:",	  "1:2:3", "4294967295", "4294967296",
					  "0x10", "1.0",   "root",	 "18446744073709551616"};
	struct plan_user u = {.uid = 7, .gid = 8};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(ociexec_user(bad[i], &u) < 0);
	CHECK(u.uid == 7 && u.gid == 8);
	CHECK_INT(ociexec_user("1", &u), 0);
	CHECK(u.uid == 1 && u.gid == 0);
	CHECK_INT(ociexec_user("4294967294:5", &u), 0);
	CHECK(u.uid == 4294967294U && u.gid == 5);
}

TEST(signals_by_name_and_number)
{
	CHECK_INT(ocictl_signal("9"), 9);
	CHECK_INT(ocictl_signal("KILL"), SIGKILL);
	CHECK_INT(ocictl_signal("sigterm"), SIGTERM);
	CHECK_INT(ocictl_signal("RTMIN+1"), SIGRTMIN + 1);
	CHECK_INT(ocictl_signal("SIGRTMAX"), SIGRTMAX);
	CHECK(ocictl_signal("") < 0);
	CHECK(ocictl_signal("SIG") < 0);
	CHECK(ocictl_signal("9a") < 0);
	CHECK(ocictl_signal("-9") < 0);
	CHECK(ocictl_signal("99999999999") < 0);
	CHECK(ocictl_signal("RTMIN+99") < 0);
}

TEST_MAIN(T(users_are_numbers_and_nothing_else), T(signals_by_name_and_number))

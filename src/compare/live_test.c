/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "compare/live.h"
#include "compare/sample.h"

#include <errno.h>

#define SECOND 1000000000ll

static const char *const no_env[] = {NULL};

TEST(a_workload_is_timed_until_it_answers)
{
	/* Stands in for caisson-workload: answers as main.c of workload/ says. */
	static const char *const argv[] = {"/bin/sh", "-c",
					   "echo warning; echo ready 5; read x; sleep "
					   "0.2; echo end; read x; echo kernel 6; read x; "
					   "echo failed No space; read x",
					   NULL};
	struct err e = ERR_INIT;
	struct live l = LIVE_INIT;
	char answer[64];
	int64_t ns = 0;

	CHECK_INT(live_open(&l, argv, no_env, 10 * SECOND, &e), 0);
	CHECK_INT(live_time(&l, "cpu 1", 10 * SECOND, &ns, &e), 0);
	CHECK(ns > SECOND / 6 && ns < 5 * SECOND);
	CHECK_INT(live_ask(&l, "kernel", 10 * SECOND, answer, sizeof(answer), &e), 0);
	CHECK_STR(answer, "kernel 6");
	CHECK(live_time(&l, "files 1 1", 10 * SECOND, &ns, &e) < 0);
	CHECK_STR(e.msg, "No space");
	live_close(&l);
	CHECK_INT(l.pid, -1);
	live_close(&l);
}

TEST(what_a_failed_start_said_is_kept)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo caisson: no image >&2; exit 125",
					   NULL};
	static const char *const none[] = {"/no/such/program", NULL};
	struct err e = ERR_INIT;
	struct live l;

	CHECK(live_open(&l, argv, no_env, 10 * SECOND, &e) < 0);
	CHECK_STR(e.msg, "no image");
	CHECK_INT(live_open(&l, none, no_env, SECOND, &e), -ENOENT);
	CHECK_INT(l.pid, -1);
}

TEST(a_sample_has_both_times_and_both_streams)
{
	static const char *const argv[] = {
	    "/bin/sh", "-c", "sleep 0.1; echo out; echo err >&2; sleep 0.1; exit 3", NULL};
	static const char *const silent[] = {"/bin/true", NULL};
	static const char *const slow[] = {"/bin/sleep", "100", NULL};
	static const char *const killed[] = {"/bin/sh", "-c", "kill -9 $$", NULL};
	struct err e = ERR_INIT;
	struct sample s;

	CHECK_INT(sample_run(argv, no_env, 10 * SECOND, &s, &e), 0);
	CHECK_INT(s.code, 3);
	CHECK_STR(s.out, "out\n");
	CHECK_STR(s.err_end, "err\n");
	CHECK(s.first_ns > SECOND / 12 && s.total_ns > s.first_ns + SECOND / 12);
	CHECK_INT(sample_run(silent, no_env, 10 * SECOND, &s, &e), 0);
	CHECK_INT(s.first_ns, -1);
	CHECK_INT(s.code, 0);
	CHECK_INT(sample_run(killed, no_env, 10 * SECOND, &s, &e), 0);
	CHECK_INT(s.code, 137);
	CHECK_INT(sample_run(slow, no_env, SECOND / 5, &s, &e), -ETIMEDOUT);
}

TEST_MAIN(T(a_workload_is_timed_until_it_answers), T(what_a_failed_start_said_is_kept),
	  T(a_sample_has_both_times_and_both_streams))

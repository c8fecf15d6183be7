/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "compare/phases.h"

TEST(phases_span_first_begin_to_last_end)
{
	auto_arena struct arena a = ARENA_INIT;
	struct report r = {.arena = &a};
	const struct report_cell *plan, *boot;

	phases_parse(&r, REPORT_VM,
		     "100 7 begin plan\n110 8 begin plan\nnonsense\n150 8 end plan\n"
		     "160 7 end plan\n200 7 begin boot\n5 7 end net\n170 7 mark first-output");
	plan = &r.cells[REPORT_PHASES + TRACE_PLAN][REPORT_VM];
	boot = &r.cells[REPORT_PHASES + TRACE_BOOT][REPORT_VM];
	CHECK_INT(plan->n, 1);
	CHECK_INT(plan->v[0], 60);
	CHECK_INT(r.cells[REPORT_BEGINS + TRACE_PLAN][REPORT_VM].v[0], 95);
	CHECK_INT(boot->n, 0);
	CHECK_INT(r.cells[REPORT_PHASES + TRACE_NET][REPORT_VM].n, 0);
}

TEST_MAIN(T(phases_span_first_begin_to_last_end))

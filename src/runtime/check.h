/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - does a plan mean something?  plan_parse() has seen to syntax and types; this sees to
 * values, and names the JSON path of what is wrong.  Nothing is opened or made.
 *
 * A plan that passes can be run without any further check of its text: paths and names have bounded
 * lengths, numbers are in their ranges, lists have their members.
 */
#ifndef RUNTIME_CHECK_H
#define RUNTIME_CHECK_H

struct err;
struct plan;
struct plan_process;

/* Errors: ERR_USAGE; ERR_UNSUPPORTED for what this version does not do. */
int check_plan(const struct plan *p, struct err *e);
int check_process(const struct plan_process *p, struct err *e);

#endif

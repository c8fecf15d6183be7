/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault - places where a test may make things go wrong: a step that fails, that does half of its
 * work, or that is the last thing the process does.  Compiled in with -Dfaults=true only, which
 * tests/images/fault_test.py builds; otherwise nothing is left of it.
 *
 * A point stands before the step it is named after.  The plan is "NAME:N:ACTION": at the N-th
 * passing of NAME, "error" (EIO), "full" (ENOSPC), "short" (half of the bytes, then ENOSPC) or
 * "kill" (SIGKILL).
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stddef.h>

#ifdef CAISSON_FAULTS
/* plan, log: borrowed, or NULL.  log: file to which the name of every point passed is added. */
void fault_setup(const char *plan, const char *log);
/* 0, or -errno with errno set. */
int fault_point(const char *name);
/* How many of len bytes may be written; fewer than len: then the error is ENOSPC. */
size_t fault_length(const char *name, size_t len);
#else
static inline int fault_point(const char *name)
{
	return 0;
}

static inline size_t fault_length(const char *name, size_t len)
{
	return len;
}
#endif

#endif

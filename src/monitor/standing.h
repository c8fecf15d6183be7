/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standing - what keeps the monitor alive when its workload, or whoever started it, takes all there
 * is: a cgroup apart from both, and a place near the end of the kernel's list when memory is out.
 */
#ifndef MONITOR_STANDING_H
#define MONITOR_STANDING_H

#include "fmt/jbind.h"

/* Into the cgroup of the monitors.  Single-threaded, before anything is started.  Where that took
 * a slow move, RUN/monitors names the directory into which the engine clones the next ones. */
void standing_apart(const char *run_root);

/* Be killed last for want of memory.  *was: what children must be given instead; unset when nothing
 * was changed (without the privilege). */
void standing_last(struct jbind_optint *was);
/* As before, for the program that this one becomes. */
void standing_usual(const struct jbind_optint *was);

#endif

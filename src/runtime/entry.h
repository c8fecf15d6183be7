/* SPDX-License-Identifier: Apache-2.0 */
/* entry - what runs between clone and execve.  The order, and why, stands in launch.c. */
#ifndef RUNTIME_ENTRY_H
#define RUNTIME_ENTRY_H

struct err;
struct job;

/* Never returns: ends in execve, or reports over j->sync and exits. */
_Noreturn void entry_main(struct job *j);

/* Join the instance's cgroup, once: the copies that clone() makes remember it. */
int entry_cgroup(struct job *j, struct err *e);

/* Take id 0 of the user namespace we are in. */
int entry_become_root(struct err *e);

/* Let go of opts.lock: the first thing in any process made here. */
void entry_unlock(struct job *j);

#endif

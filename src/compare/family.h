/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family - the processes that are below us, and the memory they hold.
 *
 * The caller is a subreaper (PR_SET_CHILD_SUBREAPER), so that a monitor that leaves its parent is
 * still below us: what the engine keeps for an instance is found without asking the engine.
 */
#ifndef COMPARE_FAMILY_H
#define COMPARE_FAMILY_H

#include <stdint.h>
#include <sys/types.h>

struct err;

struct family {
	unsigned int processes;
	uint64_t pss_bytes;	   /* proportional set size of all */
	uint64_t engine_pss_bytes; /* of those that are not the workload's */
	pid_t inside; /* a process of the workload, in a PID namespace of its own; 0: none */
	pid_t qemu;   /* 0: none */
};

#define FAMILY_NOBODY ((uid_t)-1)

/* Everything below `top` except `except` itself (what is below that one counts), and what is of
 * user `but`. Errors: ERR_DENIED where another user's memory cannot be read. */
int family_measure(pid_t top, pid_t except, uid_t but, struct family *out, struct err *e);

/* The same of pid and everything below it, added to *out. */
int family_add(pid_t pid, struct family *out, struct err *e);

/* The parent of a process; 0: it is gone. */
pid_t family_parent(pid_t pid);

/* PSS of every process of the machine with that name (comm). */
uint64_t family_named(const char *name);

/* Kill what is below `top` and of that user. */
void family_end(pid_t top, uid_t uid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach - how many system calls of the host's kernel a running process can reach, read off the
 * seccomp filters the kernel holds for it, not off what somebody meant to install.
 *
 * The filters (classic BPF) are fetched with ptrace and run here for every known number of the
 * native entry, with the arguments all zero and all ones; a call counts when every filter lets it
 * through for one of the two.  A call allowed only for particular arguments may be missed, so the
 * count is a lower bound for such profiles.
 */
#ifndef COMPARE_REACH_H
#define COMPARE_REACH_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

#define REACH_CALLS 512

struct reach {
	unsigned int allowed, known;
	bool lets[REACH_CALLS]; /* by number; only of the known */
	unsigned int filters;	/* installed ones; with 0 everything known is allowed */
};

/* Stops the process for some microseconds.  ERR_DENIED without the power to trace, ERR_UNSUPPORTED
 * where the kernel cannot give filters (CONFIG_CHECKPOINT_RESTORE) or the machine is not x86-64,
 * ERR_NOT_FOUND when it is gone. */
int reach_of(pid_t pid, struct reach *out, struct err *e);

#endif

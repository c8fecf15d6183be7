/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace - when each phase of a command began and ended, for bench/ and compare.
 *
 * Off unless main() calls trace_open() with the value of $CAISSON_TRACE (a file to append to).  One
 * line per event, written in one write(2): "<ns, CLOCK_MONOTONIC> <pid> <begin|end|mark> <phase>".
 * Phase names are stable: tests and compare depend on them; a new one is a line in PHASES.
 */
#ifndef SPEC_TRACE_H
#define SPEC_TRACE_H

#include <stdint.h>

#define TRACE_PHASES(X)                                                                            \
	X(COMMAND, "command") /* main() to exit */                                                 \
	X(RESOLVE, "resolve") /* image name to manifest and config */                              \
	X(PLAN, "plan")                                                                            \
	X(ROOTFS, "rootfs") /* layers mounted, writable root made */                               \
	X(NET, "net")                                                                              \
	X(MONITOR, "monitor") /* exec of the monitor to its first answer */                        \
	X(CREATE, "create")   /* runtime: clone to ready */                                        \
	X(CGROUP, "cgroup")                                                                        \
	X(MOUNTS, "mounts")                                                                        \
	X(EXEC, "exec")		/* start released to execve done */                                \
	X(QEMU, "qemu")		/* exec of QEMU to its first answer */                             \
	X(BOOT, "boot")		/* guest kernel to agent's hello */                                \
	X(TEMPLATE, "template") /* begin, end: one is made; mark: the machine goes on from one */  \
	X(COLD, "cold")		/* mark: that failed, and the machine boots after all */           \
	X(AGENT, "agent")	/* hello to process started */                                     \
	X(FIRST_OUTPUT, "first-output")                                                            \
	X(CLEANUP, "cleanup")                                                                      \
	X(FETCH, "fetch")                                                                          \
	X(UNPACK, "unpack")

enum trace_phase {
#define X(id, name) TRACE_##id,
	TRACE_PHASES(X)
#undef X
	    TRACE_PHASE_MAX_
};

void trace_open(const char *path); /* NULL: stays off */
/* Descriptor for a child program to go on with, or -1; give it to trace_adopt() there. */
int trace_fd(void);
void trace_adopt(int fd);
void trace_begin(enum trace_phase p);
void trace_end(enum trace_phase p);
void trace_mark(enum trace_phase p);

/* The one monotonic clock of the program, ns. */
int64_t trace_now_ns(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* process - the last part of the way to execve: identity, limits, terminal, directory, command. */
#ifndef RUNTIME_PROCESS_H
#define RUNTIME_PROCESS_H

#include <stdbool.h>

struct err;
struct job;

/* Before the process joins its cgroup: execCPUAffinity.initial. */
int process_early(const struct job *j, struct err *e);

/* Everything that does not need to wait: call inside the new root, with all privileges.  Leaves the
 * program's path in j->command. */
int process_prepare(struct job *j, struct err *e);

/* Descriptors closed at execve, no_new_privs, seccomp. */
int process_confine(struct job *j, struct err *e);

/* execve: returns only when it failed. */
int process_exec(const struct job *j, struct err *e);

/* One word to a number, -1 when unknown: "RLIMIT_NOFILE", "SCHED_BATCH", "IOPRIO_CLASS_RT". */
int process_rlimit(const char *name);
int process_policy(const char *name);
int process_ioclass(const char *name);

#endif

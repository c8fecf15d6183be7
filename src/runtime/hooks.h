/* SPDX-License-Identifier: Apache-2.0 */
/* hooks - the programs a plan runs beside its process, and the state they are told on stdin.
 * Source: runtime-spec 1.2, config.md "POSIX-platform Hooks"; runtime.md "State". */
#ifndef RUNTIME_HOOKS_H
#define RUNTIME_HOOKS_H

#include <sys/types.h>

struct buf;
struct err;
struct job;
struct plan;
struct plan_hook_list;

/* The JSON of "State".  pid 0: left out. */
void hooks_state(const struct plan *p, const char *id, const char *bundle, const char *status,
		 pid_t pid, struct buf *out);

/* The JSON of "The Container Process State" for a seccomp listener. */
void hooks_listener_state(const struct job *j, struct buf *out);

/* Run one after another, each with state on stdin; the first that fails, or does not end in its
 * timeout, ends it: "error running createRuntime hook #1: exit status 3, output: ...". */
int hooks_run(const struct plan_hook_list *list, const char *name, const char *state,
	      struct err *e);

#endif

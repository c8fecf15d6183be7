/* SPDX-License-Identifier: Apache-2.0 */
/* mempolicy - linux.memoryPolicy: on which NUMA nodes the process's memory is taken.
 * Source: runtime-spec 1.3, config-linux.md, "Memory policy"; set_mempolicy(2). */
#ifndef RUNTIME_MEMPOLICY_H
#define RUNTIME_MEMPOLICY_H

struct err;
struct plan_memory_policy;

/* Words and lists only.  ERR_USAGE. */
int mempolicy_check(const struct plan_memory_policy *p, struct err *e);

/* For the calling process and what it becomes.  ERR_UNSUPPORTED without NUMA in the kernel. */
int mempolicy_apply(const struct plan_memory_policy *p, struct err *e);

/* The n-th word this version understands, NULL behind the last (for `features`). */
const char *mempolicy_mode(unsigned int n);
const char *mempolicy_flag(unsigned int n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocivm - the commands' side of an instance in a virtual machine (--isolation=vm).
 *
 * As runtime/launch.h is for containers: a struct launch whose .pid is a process of ours that
 * stands for the one in the guest.  It ends as that one ends, passes signals on, and has the
 * terminal whose master is .console as its controlling one, so whoever handles the launch of a
 * container handles this one.
 */
#ifndef OCI_OCIVM_H
#define OCI_OCIVM_H

#include <stdbool.h>

struct err;
struct launch;
struct launch_opts;
struct plan;
struct plan_process;
struct plan_resources;

struct ocivm_request {
	struct plan *plan; /* adapted: ocivmplan.h */
	const struct launch_opts *opts;
	int dir;	      /* of the instance's state */
	const char *programs; /* directory of our program file, NULL: unknown */
	const char *cache;    /* initramfs images, probe; made when missing */
};

/* "vm" or "container"; anything else is refused by name. */
int ocivm_wanted(const char *isolation, bool *vm, struct err *e);

/* The machine runs (its kernel may still boot), the workload does not.  On failure out->pid and
 * out->cgroup are what the caller has to end and remove. */
int ocivm_create(const struct ocivm_request *rq, struct launch *out, struct err *e);

/* Waits for the guest; returns when the workload's execve succeeded. */
int ocivm_start(int dir, struct err *e);

/* One more process in the guest; it runs when this returns.  On failure nothing is left. */
int ocivm_exec(int dir, const struct plan_process *process, const struct launch_opts *opts,
	       struct launch *out, struct err *e);

/* Change what the guest limits: processes.  Errors: ERR_CONFLICT before start, ERR_TIMEOUT. */
int ocivm_update(int dir, const struct plan_resources *res, struct err *e);

/* To the workload; for the one signal that cannot be sent to the process that stands for it. */
int ocivm_signal(int dir, int sig, struct err *e);

#endif

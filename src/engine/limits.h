/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - memory, processors, processes and block I/O of a request as the plan's resources.
 *
 * One function both checks, before anything is created, and builds, so nothing can be checked in
 * one way and done in another.  A VM's memory is its machine's size; its processor and I/O limits
 * are those of QEMU's cgroup, its process limit is kept inside.
 */
#ifndef ENGINE_LIMITS_H
#define ENGINE_LIMITS_H

#include <stdint.h>

#include <stdbool.h>

struct arena;
struct err;
struct plan_resources;
struct plan_rlimits;
struct request;

/* Fills all of *out but the device rules.  Errors: ERR_USAGE naming the option, what conflicts or
 * is out of range, processors or nodes that are not there; ERR_UNSUPPORTED for what a VM cannot
 * have; ERR_NOT_FOUND a device that is not there. */
int limits_build(const struct request *q, struct arena *a, struct plan_resources *out,
		 struct err *e);

/* Whether the limit of processes is the one that everybody has, or none at all: nobody would miss
 * it where no limit can be set. */
bool limits_default_pids(const struct request *q);

/* --ulimit.  ERR_USAGE naming what was typed. */
int limits_ulimits(const struct request *q, struct arena *a, struct plan_rlimits *out,
		   struct err *e);

/* --storage-opt: the size of the writable disk, 0 for the normal one. */
int limits_disk(const struct request *q, uint64_t *bytes, struct err *e);

#endif

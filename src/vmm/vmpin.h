/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmpin - each virtual CPU on a CPU of its own.
 *
 * A cpuset says where the threads of a machine may run; with one CPU of the set for each virtual
 * one, a guest's CPUs never share one and never move.
 */
#ifndef VMM_VMPIN_H
#define VMM_VMPIN_H

#include <stdint.h>
#include <sys/types.h>

/* Pin virtual CPU n of the QEMU pid to the n-th CPU of the list ("0-3,7"), if there are as many;
 * else let each run on all of them.  Threads are known by the names QEMU gives them (-name
 * debug-threads=on).  Returns how many were pinned, or -errno. */
int vmpin_set(pid_t pid, uint32_t cpus, const char *list);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - what `caisson compare` lets a host process, a container and a VM do, the same bytes of
 * program in each.
 *
 * Nothing here reads a clock: the caller takes the time on the host, from the two lines that main.c
 * writes around each piece of work, so that a guest's idea of time does not enter the result.
 */
#ifndef WORKLOAD_WORK_H
#define WORKLOAD_WORK_H

#include <stddef.h>
#include <stdint.h>

/* Integer arithmetic in registers and in a table of 64 KiB; no system call.  Returns a value that
 * depends on every round, so that no compiler leaves one out. */
uint64_t work_cpu(uint64_t rounds);

/* `calls` times getppid(), which the C library does not cache.  Returns the number of calls made.
 */
uint64_t work_syscalls(uint64_t calls);

/* Copy at least `bytes` from one buffer of 8 MiB to another, over and over: more than the caches of
 * one core hold.  Returns a value that depends on the copy, 0 without memory. */
uint64_t work_memory(uint64_t bytes);

/* `times` fork() and execve() of this program, which ends at once, and wait.  0 or -errno; -EIO
 * when one ended otherwise. */
int work_fork(uint64_t times);

/* `bytes` of memory, written to, kept until the next call; 0 bytes: none.  0 or -errno. */
int work_hold(uint64_t bytes);

#endif

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

/* In directory dir: write a file of `bytes` in pieces of 64 KiB, fsync it, read it back, then make,
 * stat and remove `files` empty files.  Everything is removed again.  0 or -errno; -EIO when the
 * bytes read are not those written. */
int work_files(const char *dir, uint64_t bytes, unsigned int files);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workdisk - files, in a directory of our own below the one that main.c was given.
 *
 * Reads find what was just written in the page cache of the kernel that runs the workload: they
 * measure the way to it.  Writes are timed with the fsync() that makes them last.
 */
#ifndef WORKLOAD_WORKDISK_H
#define WORKLOAD_WORKDISK_H

#include <stdint.h>

/* Make the directory.  0 or -errno, as all here. */
int workdisk_open(const char *dir);

/* A file of `bytes`, in pieces of 64 KiB, and fsync(). */
int workdisk_write(uint64_t bytes);
/* Read it, again and again, until `bytes` are read, and the last time to its end; -EIO when the
 * bytes are not those written. */
int workdisk_read(uint64_t bytes);
/* `times` reads of 4 KiB at random places of it. */
int workdisk_random_read(uint64_t times);
/* `times` writes of 4 KiB at random places of it, fdatasync() after each. */
int workdisk_random_write(uint64_t times);
/* Make, stat, rename and remove that many empty files. */
int workdisk_names(uint64_t files);

/* Remove everything. */
void workdisk_close(void);

#endif

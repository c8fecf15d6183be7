/* SPDX-License-Identifier: Apache-2.0 */
/* treecmp - are two directories the same tree?  Names, types, modes, owners, times of change,
 * links, devices, extended attributes and contents; not times of access, nor what only the file
 * system gives out (inode numbers, allocation). */
#ifndef STORE_TREECMP_H
#define STORE_TREECMP_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* 1 the same; 0: where[] says what is not, as "etc/passwd: mode"; negative: cannot be read.
 * a, b: directories open for reading.  *bytes: contents compared are added. */
int treecmp_run(int a, int b, char *where, size_t size, uint64_t *bytes, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target - where something is mounted or made inside the root of an instance.
 *
 * The path is from config.json, the tree it is walked in is the image's: links in it are read as if
 * the root were "/", what is missing is made, and the result is a descriptor (CVE-2021-30465,
 * CVE-2024-45310).
 */
#ifndef RUNTIME_TARGET_H
#define RUNTIME_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* O_PATH descriptor of root_fd/path, made as a directory (0755) or an empty file (0644) with its
 * parents when it is missing, also where a link points to nothing.  *made (may be NULL) tells
 * whether it was missing. */
int target_open(int root_fd, const char *path, bool directory, bool *made, struct err *e);

/* The same for a directory that has to exist in its own right: no component may be a link.  For
 * proc and sysfs, whose place the runtime relies on. */
int target_ordinary(int root_fd, const char *path, const char *type, struct err *e);

/* May this be mounted at target (opened for path)?  On and below /proc only what procfs itself or
 * the few files that lxcfs replaces need (CVE-2019-16884, CVE-2019-19921, CVE-2023-28642).
 * source_fd: what is to be bound, or -1; type: of the file system. */
int target_check(int root_fd, int target, const char *path, const char *type, int source_fd,
		 struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* mounts - the mounts of a plan, into the root that newroot_attach() left in j->root. */
#ifndef RUNTIME_MOUNTS_H
#define RUNTIME_MOUNTS_H

#include <stddef.h>

struct err;
struct job;

/* All of them, in the listed order. */
int mounts_make(struct job *j, struct err *e);

/* When nothing more is mounted or made: read-only what is to be. */
int mounts_finish(struct job *j, struct err *e);

/* The source of bind mount number i, detached; with ids shifted when the plan asks for it.
 * userns_fd: the instance's user namespace or -1.  For the parent, which may open what the new user
 * namespace may not.  -ENOTBLK without *e: mount i is not a bind mount that needs this. */
int mounts_source(const struct job *j, size_t i, int userns_fd, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procfs - the runtime's own procfs, out of everybody's reach.
 *
 * Whatever the runtime writes below /proc (sysctl, security labels) goes through a procfs that is
 * mounted nowhere and whose root was checked, never through the /proc of an image, which may be a
 * link, a tmpfs or another file bound over the one meant (CVE-2019-16884, CVE-2025-52881).
 */
#ifndef RUNTIME_PROCFS_H
#define RUNTIME_PROCFS_H

struct err;

/* A procfs of the caller's pid namespace.  Where a new one may not be mounted (an outer container
 * has masked parts of its /proc, or an LSM forbids it) the /proc of the caller's mount namespace is
 * taken after the same check: call it before the image's root is entered. */
int procfs_open(struct err *e);

/* Write value to path ("sys/net/ipv4/ip_forward", "self/attr/exec") below a procfs_open()
 * descriptor. No mount is crossed, so that nothing bound over a file of procfs is written instead.
 */
int procfs_write(int proc, const char *path, const char *value);

/* Is fd the root of a procfs? */
int procfs_check(int fd);

#endif

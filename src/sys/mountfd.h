/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountfd - mounts as descriptors (Linux 5.2): made or copied while attached nowhere, then put on a
 * directory that is a descriptor too, so that no path is walked twice (CVE-2021-30465).
 *
 * All return a descriptor or 0, and -errno.
 */
#ifndef SYS_MOUNTFD_H
#define SYS_MOUNTFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new superblock of this file system.  opts: n strings "key=value" or "key".  attr: MOUNT_ATTR_*
 * of the mount.  why (may be NULL, size bytes) gets the kernel's own explanation or "". */
int mountfd_new(const char *type, const char *const *opts, size_t n, uint64_t attr, char *why,
		size_t size);

/* A detached copy of the mount at dir_fd/path (path "": dir_fd itself), with those below it. */
int mountfd_clone(int dir_fd, const char *path, bool recursive);

/* The same of an absolute path in another mount namespace; the caller, which has one thread, is
 * back where it was. */
int mountfd_clone_there(int mnt_ns, const char *path);

/* Set and clear MOUNT_ATTR_* (mount_setattr, Linux 5.12; -ENOSYS before).  propagation: MS_SHARED,
 * MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0.  userns_fd: with MOUNT_ATTR_IDMAP in set, else -1. */
struct mountfd_attr {
	uint64_t set, clear, propagation;
	int userns_fd;
	bool recursive;
};
int mountfd_change(int fd, const struct mountfd_attr *a);

/* Attach a detached mount, or move an attached one, onto the file or directory target_fd. */
int mountfd_attach(int fd, int target_fd);

/* statfs magic of what fd refers to, or 0. */
uint64_t mountfd_magic(int fd);

#endif

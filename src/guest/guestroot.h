/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guestroot - the instance's file system inside the virtual machine: the EROFS disk below, a
 * writable layer above, and the host's shared directories.
 */
#ifndef GUEST_GUESTROOT_H
#define GUEST_GUESTROOT_H

/* Where the layers are, for who compares them. */
#define GUESTROOT_IMAGE "/run/caisson/image"
#define GUESTROOT_UPPER "/run/caisson/rw/upper"

struct err;
struct plan;

/* Mount the root of the plan at plan.root.path and the shares its bind mounts name.
 * Errors: ERR_NOT_FOUND no disk of that serial, ERR_SYSTEM. */
int guestroot_mount(const struct plan *p, struct err *e);

/* Sync and unmount what is writable, as far as that works. */
void guestroot_unmount(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* newroot - the root of an instance: made, attached, entered. */
#ifndef RUNTIME_NEWROOT_H
#define RUNTIME_NEWROOT_H

struct err;
struct job;
struct plan_rootfs;

/* The overlay of r as a detached mount.  The caller's mount namespace is left and entered again:
 * its working directory is then "/".  userns_fd: shift the ids of the layers by this user
 * namespace (Linux 5.19), or -1.  Errors: ERR_NOT_FOUND a layer, ERR_UNSUPPORTED, ERR_SYSTEM. */
int newroot_overlay(const struct plan_rootfs *r, int userns_fd, struct err *e);

/* The same in a process of its own, for a caller that must stay where it is. */
int newroot_overlay_aside(const struct plan_rootfs *r, int userns_fd, struct err *e);

/* A detached mount of plan.root.path. */
int newroot_bind(const struct job *j, struct err *e);

/* In the new mount namespace: cut its propagation to the host's, make or take over the root's mount
 * (j->tree), attach it and leave it in j->root. */
int newroot_attach(struct job *j, struct err *e);

/* Make j->root the root of the process and let go of everything else. */
int newroot_enter(struct job *j, struct err *e);

/* Propagation and read-only flag of the root itself, when nothing more is to be made in it. */
int newroot_finish(struct job *j, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin - the mount namespace, pinned at <run-root>/ns/mnt, in which layers are mounted.
 *
 * Theory: the namespace has no process; a bind mount of its nsfs file keeps it.  That file can be
 * bound only where mounts do not propagate back into the namespace itself, so <run-root>/ns is a
 * private mount.  The namespace is a slave of the one it was made from: it does not keep file
 * systems that the host unmounts, and shows the host nothing.  What is mounted there is told by
 * marks, <run-root>/layers/<hex>.mnt, that hold the namespace's number; a mark of another number is
 * void.  So a start asks with one small read per layer and forks only when something is missing.
 */
#ifndef STORE_PIN_H
#define STORE_PIN_H

struct err;
struct layer;
struct store;

/* Mount these layers (LAYER_EROFS) where they are not mounted yet, and make the store's root
 * visible under its own path there.  ERR_UNSUPPORTED when this kernel cannot mount EROFS for us. */
int pin_mount(struct store *s, const struct layer *layers, unsigned long n, struct err *e);

/* Can this caller mount an EROFS file at all?  fd: one.  0, or -errno with the reason. */
int pin_try(int fd, struct err *e);

void pin_forget(struct store *s, const char *diff_id);
int pin_release(struct store *s, struct err *e);

#endif

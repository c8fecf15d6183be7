/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootless - an ordinary user's engine: a user namespace in which the command is root.
 *
 * Everything behind this step is the same code as for root (docs/decisions/0011): the store's files
 * belong to the user's own ids and subordinate ids, mounts are made in private copies of the
 * caller's mount table, and networks live in one network namespace per user store.
 *
 * The user namespace and that network namespace are held by one small process (`caisson __hold`,
 * sys/userns.h), made by the first command that needs them and ended ten to twenty seconds after
 * nobody uses them any more.  Who uses them holds a shared lock on RUN/ns/users: every command for
 * its life, every monitor for its instance's.
 */
#ifndef ENGINE_ROOTLESS_H
#define ENGINE_ROOTLESS_H

struct err;
struct session;

/* Go into the user namespace of the session's run root, making it when nobody has: afterwards
 * geteuid() is 0, the mount namespace is an own copy, and s->users_fd holds the lock.  Nothing else
 * of the process changes: network, directory, descriptors.  The process has one thread.
 * Errors: ERR_UNSUPPORTED this kernel lets no user make namespaces; ERR_DENIED the run root belongs
 * to somebody else, or newuidmap refused. */
int rootless_enter(struct session *s, struct err *e);

/* For a program that a monitor starts, which is inside already: keep the namespaces, too. */
void rootless_stay(struct session *s);

/* The life of `caisson __hold`: returns when nobody has used the namespaces for a while. */
int rootless_hold(const char *run_root, struct err *e);

#endif

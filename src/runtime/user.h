/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user - who a process runs as, looked up in the account files of the root it runs in.
 *
 * The engine does not see an instance's root (it is mounted in the instance's own namespace, or in
 * a guest), so a plan of ours carries what the user typed in process.user.username, "name",
 * "uid", "name:group" or "uid:gid", and the child that has entered the root resolves it.
 */
#ifndef RUNTIME_USER_H
#define RUNTIME_USER_H

struct arena;
struct err;
struct plan_process;

/* Call with the instance's root as "/".  Replaces user.uid, user.gid and user.additional_gids
 * (keeping those already there) when user.username is set.  In the environment every variable is
 * left once, with its last value, and HOME is appended when missing or empty.  The account files
 * may be anything the image's author likes: only regular files are read, without blocking, up to a
 * limit; a FIFO as /etc/passwd counts as absent. Errors: ERR_NOT_FOUND no such user or group,
 * ERR_USAGE an id outside 0 .. 2^32 - 2. */
int user_resolve(struct plan_process *p, struct arena *a, struct err *e);

#endif

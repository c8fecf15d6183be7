/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userns - user namespaces: whether we are in one, making their id maps, and the process that holds
 * one for those who come later.
 *
 * A namespace lives as long as a process is in it, or a descriptor or bind mount holds it.  An
 * ordinary user may bind nothing in the host's mount table, so a small process holds it
 * ("holder"), and the file ns/holder beneath a run directory says which: "PID USER NET\n", the
 * numbers (inodes) of its user and network namespace.  A pid that was given to another process is
 * told by its namespaces.
 */
#ifndef SYS_USERNS_H
#define SYS_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* In another user namespace than the one that has every id: what the kernel allows to root is less
 * there, whatever geteuid() says. */
bool userns_inside(void);
/* Does this user namespace have this uid (gid)? */
/* How many uids there are here. */
uint64_t userns_ids(void);
bool userns_has_uid(uint32_t id);
bool userns_has_gid(uint32_t id);

/* Let the set-uid program newuidmap or newgidmap write a map of process pid; map is "INSIDE OUTSIDE
 * COUNT ...".  -ENOENT: it is not installed, -EACCES: it refused. */
int userns_map_by(const char *program, pid_t pid, const char *map);
/* The map of one own id, which needs no privilege: our uid and gid as root. */
int userns_map_single(pid_t pid);

struct userns_holder {
	pid_t pid;
	uint64_t user, net;
};

/* -ENOENT: none was recorded; -EINVAL: the file is not what we write. */
int userns_holder_read(int run_fd, struct userns_holder *out);
int userns_holder_write(int run_fd, const struct userns_holder *h);
/* The numbers of the namespaces of a process. */
int userns_holder_look(pid_t pid, struct userns_holder *out);
/* Descriptors of the namespaces of the recorded process; -ESTALE when it is gone. */
int userns_holder_user(const struct userns_holder *h);
int userns_holder_net(const struct userns_holder *h);
/* The user namespace of a process that is only in that one, as a monitor. */
int userns_holder_same_user(const struct userns_holder *h);

#endif

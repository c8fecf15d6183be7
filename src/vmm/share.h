/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share - a directory of the host in a virtual machine: one virtiofsd for each.
 *
 * virtiofsd confines itself to the directory it is given (its own mount, pid and network namespaces
 * and seccomp filter).  What it must not write it cannot: the directory is a read-only mount in the
 * mount namespace it is started in.  A single file is shared alone: bound into an empty directory
 * there, so that its neighbours are not in reach.
 */
#ifndef VMM_SHARE_H
#define VMM_SHARE_H

#include <sys/types.h>

struct err;
struct guestplan_share;

struct share {
	pid_t pid;
	int pidfd;
	int fd; /* connected vhost-user socket for QEMU */
};
#define SHARE_INIT ((struct share){.pid = -1, .pidfd = -1, .fd = -1})

struct share_env {
	const char *virtiofsd; /* NULL: searched in the usual places */
	int text_fd;	       /* where it may print */
	int (*admit)(pid_t pid, void *arg, struct err *e);
	void *arg;
};

/* Errors: ERR_NOT_FOUND no virtiofsd (names the package), ERR_SYSTEM. */
int share_start(const struct guestplan_share *s, const struct share_env *env, struct share *out,
		struct err *e);
/* Kill, reap, close.  Fine on SHARE_INIT. */
void share_stop(struct share *s);

#endif

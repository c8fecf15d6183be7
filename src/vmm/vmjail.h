/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmjail - start a helper process of a virtual machine with as little as it needs.
 *
 * QEMU executes what a hostile guest drives it to, so it gets: a user of its own without
 * privileges; mount, network, IPC, UTS and pid namespaces of its own; a file system of /usr
 * (read-only), three device nodes and the files named in .binds; exactly the descriptors of .fds;
 * no_new_privs, an empty capability bounding set, no core dumps.  QEMU adds its own seccomp filter
 * (machine.c).  Without root the same happens in a user namespace.
 *
 * A helper with .setup (virtiofsd, which builds its own sandbox and needs its privileges for that)
 * keeps user and file system, and gets the namespaces and descriptors only.
 *
 * Whoever is started dies with the calling thread.
 */
#ifndef VMM_VMJAIL_H
#define VMM_VMJAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct strs;

/* A file of the host, seen inside as /<name>, read-only. */
struct vmjail_bind {
	const char *source, *name;
};

#define VMJAIL_FD_FIRST 3
#define VMJAIL_FDS_MAX	512

struct vmjail {
	const char *program;	 /* absolute path */
	const struct strs *argv; /* NULL behind the last */
	const char *env;	 /* the one variable it has, "NAME=VALUE"; NULL: none */
	const int *fds;		 /* become VMJAIL_FD_FIRST, +1, ... */
	size_t fd_count;
	int text_fd; /* becomes standard output and error; -1: /dev/null */
	uid_t uid;   /* and gid; unused when the caller is not root */
	const struct vmjail_bind *binds;
	size_t bind_count;
	bool kvm; /* /dev/kvm is there and usable */
	/* Runs in the child, in its own mount namespace (private), as root there. */
	int (*setup)(void *arg, struct err *e);
	void *setup_arg;
	/* Runs in the child first of all, with its own getpid(): join the instance's cgroup.
	 * May be NULL. */
	int (*admit)(pid_t pid, void *arg, struct err *e);
	void *admit_arg;
};

/* Returns when execve() succeeded.  *pid is a child of the caller, *pidfd refers to it. */
int vmjail_spawn(const struct vmjail *j, pid_t *pid, int *pidfd, struct err *e);

#endif

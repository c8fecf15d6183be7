/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child - helper programs: started with exactly the descriptors they are given, ended with us.
 *
 * A helper gets nothing by accident: all other descriptors are close-on-exec, signals are at their
 * defaults, and it is killed when its parent dies (PR_SET_PDEATHSIG), so that an interrupted
 * command leaves no process behind.
 */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct child_fd {
	int from, to; /* from -1: /dev/null */
};

struct child_opts {
	const char *path; /* absolute */
	const char *const *argv;
	const char *const *env; /* NULL-terminated; NULL: an empty environment */
	const struct child_fd *fds;
	size_t nfds;	      /* 0, 1 and 2 not named: /dev/null, /dev/null, inherited */
	const char *mount_ns; /* path of a mount namespace that it lives in; NULL: ours */
};

/* Start it.  Returns its pid, or -errno, also when execve() itself failed. */
pid_t child_start(const struct child_opts *o);

/* Wait until it ended; *status as wait(2) gives it.  0 or -errno. */
int child_wait(pid_t pid, int *status);

/* SIGKILL and wait. pid <= 0 is fine. */
void child_kill(pid_t pid);

/* Run it to its end with `in` on its stdin; its stdout, at most max bytes, NUL-terminated, is
 * returned in *out (caller frees).  After ms, or with more output, it is killed: -ETIMEDOUT,
 * -EFBIG.  o->fds is not used. */
struct child_talk {
	const char *in;
	size_t in_len, max;
	int ms;
};
ssize_t child_talk(const struct child_opts *o, const struct child_talk *t, char **out, int *status);

/* Where a program is, by a value of PATH (relative entries are passed over); a path for out, or
 * -ENOENT. */
int child_find(const char *name, const char *path, char *out, size_t size);

/* Our own environment, for helpers that need proxy and locale settings. */
const char *const *child_environ(void);

#endif

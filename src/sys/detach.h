/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detach - programs that outlive who starts them: a session of their own, no stdio, "/" as working
 * directory, signals at their defaults, an empty environment, and the descriptors they are given
 * under the numbers they have.
 */
#ifndef SYS_DETACH_H
#define SYS_DETACH_H

#include <stddef.h>
#include <sys/types.h>

struct detach_opts {
	const char *path; /* absolute */
	const char *const *argv;
	const int *keep; /* all others are close-on-exec */
	size_t nkeep;
	int cgroup; /* a v2 directory that it is made in, or -1: where we are */
};

/* Returns its pid, or -errno, also when execve() itself failed. */
pid_t detach_start(const struct detach_opts *o);

#endif

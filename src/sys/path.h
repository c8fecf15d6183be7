/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path - opening and making names beneath a descriptor that stays the root of the walk.
 *
 * The walk is the kernel's (openat2, Linux 5.6), so a symlink or ".." planted in the tree, even
 * while we walk it, leads nowhere outside (CVE-2021-30465, CVE-2024-45310).  Functions return a
 * descriptor or 0, and -errno; a walk that would leave the root fails with -EXDEV or -ELOOP.
 */
#ifndef SYS_PATH_H
#define SYS_PATH_H

#include <stdint.h>
#include <sys/types.h>

enum path_how {
	PATH_BENEATH = 0,  /* links may not leave the root: error */
	PATH_IN_ROOT = 1,  /* absolute links and ".." are read as if root_fd were "/" */
	PATH_NO_LINKS = 2, /* no symlink in any component */
	PATH_NO_XDEV = 4,  /* no mount point crossed */
};

/* open(2) flags as usual (O_CLOEXEC is added).  mode counts only with O_CREAT. */
int path_open(int root_fd, const char *path, int flags, mode_t mode, unsigned int how);

/* Make every missing component a directory of mode, each beneath the descriptor of the one before,
 * and open the last (O_PATH | O_DIRECTORY).  Links that stay inside are followed with PATH_IN_ROOT.
 */
int path_mkdirs(int root_fd, const char *path, mode_t mode, unsigned int how);

/* Open (O_PATH) the directory that holds the last component, making missing ones if mode is not 0;
 * *base points into path, at the last component. */
int path_parent(int root_fd, const char *path, mode_t mode, unsigned int how, const char **base);

/* Remove name (which may be a path that the caller trusts) and all below it, however deep, without
 * following links or crossing mounts (-EXDEV).  What is not there is success. */
int path_remove(int dir_fd, const char *name);

/* Names in a directory but "." and "..", sorted by bytes, into out, which is empty; strings in a.
 */
struct arena;
struct strs;
int path_names(int dir_fd, struct arena *a, struct strs *out);

/* "/proc/self/fd/N" for calls that take only a string; buf holds at least PATH_FD_MAX bytes. */
#define PATH_FD_MAX 32
const char *path_of_fd(int fd, char *buf);

#endif

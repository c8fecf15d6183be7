/* SPDX-License-Identifier: Apache-2.0 */
/* fd - loops and small facts about descriptors.  All return >= 0 or -errno; all retry EINTR. */
#ifndef SYS_FD_H
#define SYS_FD_H

#include <stddef.h>
#include <sys/types.h>

/* Write all of it.  0 or -errno. */
int fd_write_all(int fd, const void *data, size_t len);

/* Read until len bytes or end of file; returns the number of bytes read. */
ssize_t fd_read_full(int fd, void *data, size_t len);

/* Copy what is left of `from` to `to` in the kernel where it can.  Returns bytes copied. */
ssize_t fd_copy(int from, int to);

/* Read a whole file of at most max bytes into malloc'ed, NUL-terminated *data (caller frees).
 * Returns its length, -EFBIG when it is longer.  Works for /proc and /sys files, whose size is 0.
 */
ssize_t fd_slurp(int fd, size_t max, char **data);

/* An anonymous, close-on-exec file holding data, sealed against every change. */
int fd_sealed(const char *name, const void *data, size_t len);

/* Everything from first up becomes close-on-exec (close_range, Linux 5.11) or is closed. */
int fd_cloexec_from(int first);
/* Closed from first up, but for these n (in any order; -1 stands for none). */
int fd_close_but(int first, const int *keep, size_t n);
int fd_close_from(int first);

int fd_set_cloexec(int fd, int on);
int fd_set_nonblock(int fd, int on);

/* Close and keep errno; -1 is fine. */
void fd_close(int fd);

#endif

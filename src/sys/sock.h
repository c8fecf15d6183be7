/* SPDX-License-Identifier: Apache-2.0 */
/* sock - unix sockets: addresses beneath a directory descriptor, and descriptors as messages. */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include <stddef.h>
#include <sys/types.h>

#define SOCK_FDS_MAX 16

/* Listen at / connect to dir_fd/name (stream).  The address goes through /proc/self/fd, so that a
 * long state directory does not meet the 108 bytes of sun_path.  Returns the socket or -errno. */
int sock_listen(int dir_fd, const char *name, mode_t mode);
int sock_connect(int dir_fd, const char *name);

/* One message of len > 0 bytes with n descriptors. */
int sock_send_fds(int fd, const void *data, size_t len, const int *fds, size_t n);

/* Receives at most len bytes and *n descriptors (close-on-exec); sets *n to how many came.
 * More than *n descriptors is -E2BIG, all closed. */
ssize_t sock_recv_fds(int fd, void *data, size_t len, int *fds, size_t *n);

#endif

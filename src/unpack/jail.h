/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail - give away every power that unpacking does not need, before the first byte of a layer is
 * read.  What only root can drop (root directory, user, capabilities) is dropped when we are root;
 * what everybody can (no new privileges, descriptors, limits, system calls) always.
 */
#ifndef UNPACK_JAIL_H
#define UNPACK_JAIL_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct jail_opts {
	const int *keep_fds; /* descriptors that stay open, besides 0 to 2 */
	size_t n_keep;
	int dir_fd;	     /* -1: an image; else the directory to be filled becomes the root */
	bool read_dir;	     /* dir_fd is only to be read, whatever its files' modes */
	bool relays;	     /* no directory: bytes go between two sockets that it has */
	bool trusted_xattrs; /* directory: trusted.* is to be set or read, which takes CAP_SYS_ADMIN
			      */
};

/* One way.  Call with one thread only; threads may be started afterwards.
 * Errors: ERR_SYSTEM when the system call filter cannot be loaded. */
int jail_enter(const struct jail_opts *opts, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * initramfs - what the guest kernel unpacks first: the agent as /init, the modules, one list.
 *
 *	/init            caisson-guest
 *	/modules/list    lines "<group> <file>", in load order (groups: kernel.h)
 *	/modules/NAME.ko
 *	/dev/console     for the kernel's messages of the agent's death
 *
 * Uncompressed: unpacking gzip costs an emulated CPU more than copying.
 */
#ifndef VMM_INITRAMFS_H
#define VMM_INITRAMFS_H

#include <stdbool.h>

struct arena;
struct buf;
struct err;
struct kernel;

struct initramfs_parts {
	const struct kernel *kernel;
	const char *agent; /* path of the static caisson-guest */
	bool nics, shares; /* the machine has such: else their modules stay out */
};

/* Append the whole archive to out, whose limit must have room for the agent and the modules. */
int initramfs_build(const struct initramfs_parts *parts, struct buf *out, struct err *e);

/* The path (in a) of an archive of these parts below cache_dir: made if it is not there yet.  The
 * name holds a hash of what went in (kernel.json and the identity, size and time of the files), so
 * a new agent or kernel never meets an old archive. */
int initramfs_get(const struct initramfs_parts *parts, const char *cache_dir, struct arena *a,
		  const char **path, struct err *e);

#endif

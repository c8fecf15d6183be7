/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootdriver - who puts a container's writable layer on its image: the kernel's overlay, or the
 * program fuse-overlayfs where the kernel does not (a file system that it takes no writable layer
 * on; ids to be shifted that it cannot shift).
 *
 * The two write down differently what was removed, so a writable layer stays with whom it began:
 * instances/<id>/rw/fuse-overlayfs is there for one of the program's.  What the kernel can is tried
 * once per boot and remembered in the run root.
 */
#ifndef STORE_ROOTDRIVER_H
#define STORE_ROOTDRIVER_H

#include <stdbool.h>

struct arena;
struct err;
struct store;

#define ROOTDRIVER_KERNEL "overlay"
#define ROOTDRIVER_FUSE	  "fuse-overlayfs"

/* For a new writable layer.  shifted: its ids are not the instance's.  The program's path in *out,
 * NULL: the kernel, also where there is no program: then the kernel says what it lacks.
 * ERR_UNSUPPORTED: the program was asked for (store_set_driver()) and is not installed. */
int rootdriver_pick(struct store *s, bool shifted, struct arena *a, const char **out,
		    struct err *e);

struct rootdriver_root {
	const char *id;
	bool readonly;
	bool shifted;
};
/* For an instance, before rootfs_prepare(): as it began, or picked now and written down. */
int rootdriver_use(struct store *s, const struct rootdriver_root *r, struct arena *a,
		   const char **out, struct err *e);
/* Did the program make this instance's writable layer? */
bool rootdriver_is_fuse(const struct store *s, const char *id);

#endif

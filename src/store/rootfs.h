/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs - from an image's layers to what a plan needs to mount a root.
 *
 * Containers: every layer is mounted once per host, at <run-root>/layers/<hex>, in a mount
 * namespace of its own that is pinned at <run-root>/ns/mnt; nobody else's namespace ever holds
 * these mounts, so that no host mount table grows and a layer goes away with one umount.  The
 * namespace is a slave of the one it was made from: mounts come in, none go out. VMs: the layer
 * files themselves, behind one merged metadata image per list of layers.
 *
 * In which form layers are kept (EROFS or directories) is decided once per boot by trying to mount.
 */
#ifndef STORE_ROOTFS_H
#define STORE_ROOTFS_H

#include "store/layer.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct image;
struct plan_rootfs;
struct store;

#define ROOTFS_DISK_BYTES (10ull << 30) /* size of a VM's writable disk, sparse */

/* Fill *out for one instance: instances/<id>/rw/{upper,work} or disk.ext4 are made (not with
 * readonly).  isolation: enum plan_isolation.  Strings go into a. */
int rootfs_prepare(struct store *s, const struct image *i, const char *instance_id, int isolation,
		   bool readonly, struct arena *a, struct plan_rootfs *out, struct err *e);
/* With a writable disk of another size for a VM, when it is made now. */
int rootfs_prepare_sized(struct store *s, const struct image *i, const char *instance_id,
			 int isolation, bool readonly, uint64_t disk_bytes, struct arena *a,
			 struct plan_rootfs *out, struct err *e);
/* Remove the writable root of an instance.  Absent is fine. */
int rootfs_remove(struct store *s, const char *instance_id, struct err *e);

/* The form in which this host wants layers; remembered in the run root. */
int rootfs_form(struct store *s, enum layer_form *out, struct err *e);

/* Unmount one layer from the pinned namespace, before its file goes. */
void rootfs_forget(struct store *s, const char *diff_id);
/* Unmount everything and let go of the pinned namespace; running instances keep theirs. */
int rootfs_unpin(struct store *s, struct err *e);

#endif

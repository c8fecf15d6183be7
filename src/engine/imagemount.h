/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imagemount - mounts of type=image: the files of an image, read-only, at a place of an instance.
 *
 * In the record the mount's name is the image's id, which keeps the image (store/image.h,
 * image_user()); its source is what was typed.  A start makes a detached mount of the layers and
 * hands it to the monitor, as a joined /dev/shm (engine/join.h).
 */
#ifndef ENGINE_IMAGEMOUNT_H
#define ENGINE_IMAGEMOUNT_H

#include "spec/record.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct store;

/* Of a new instance: .name.  The caller holds STORE_SHARED.  ERR_NOT_FOUND. */
int imagemount_resolve(struct store *s, struct instance_mount *m, struct arena *a, struct err *e);
/* Is the image used so? */
bool imagemount_uses(const struct instance_mounts *l, const char *id);

struct imagemounts {
	struct instance_mounts mounts; /* the instance's, with sources that the monitor finds */
	int *fds;
	size_t n;
};
/* ERR_NOT_FOUND an image, or the part of it; ERR_UNSUPPORTED a part before Linux 6.15. */
int imagemount_open(struct store *s, const struct instance_mounts *l, struct arena *a,
		    struct imagemounts *out, struct err *e);
void imagemount_close(struct imagemounts *m);

#endif

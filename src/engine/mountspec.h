/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountspec - what stands behind -v, --mount and --tmpfs, and the volumes an image asks for.
 *
 * The result is a list ordered so that a mount comes after those it lies in, without two mounts on
 * one destination.  Volumes are named here (anonymous ones get 64 hex digits) and not made.
 */
#ifndef ENGINE_MOUNTSPEC_H
#define ENGINE_MOUNTSPEC_H

#include "base/arena.h"

struct err;
struct instance_mounts;
struct request;

/* image_volumes: destinations from the image's configuration.  root_fd, root: the store's root, in
 * which volumes lie, and the instances of --volumes-from.  Errors: ERR_USAGE naming what was typed,
 * ERR_NOT_FOUND for a --mount source or an instance that does not exist, ERR_UNSUPPORTED what a VM
 * cannot take over. */
int mountspec_list(const struct request *q, const struct strs *image_volumes, int root_fd,
		   const char *root, struct arena *a, struct instance_mounts *out, struct err *e);

#endif

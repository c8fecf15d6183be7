/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imageroot - an image's root as a descriptor, without anything running in it: for builds, which
 * copy files into it and out of it.
 *
 * Walk it only with PATH_IN_ROOT (sys/path.h): its links are an image author's.
 */
#ifndef ENGINE_IMAGEROOT_H
#define ENGINE_IMAGEROOT_H

struct arena;
struct err;
struct strs;
struct store;

/* The layers (diff ids, bottom first) with upper and work (absolute paths of directories on one
 * file system) on top; both NULL: to read only.  A detached mount, closed like any descriptor.
 * Errors: ERR_NOT_FOUND a layer that is gone, ERR_UNSUPPORTED. */
int imageroot_open(struct store *s, const struct strs *layers, const char *upper, const char *work,
		   struct arena *a, struct err *e);

#endif

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
struct fuseoverlay;
struct strs;
struct store;

/* The layers (diff ids, bottom first), to read.  A detached mount, closed like any descriptor.
 * Errors: ERR_NOT_FOUND a layer that is gone, ERR_UNSUPPORTED. */
int imageroot_open(struct store *s, const struct strs *layers, struct arena *a, struct err *e);

struct imageroot_top {
	const char *upper, *work;   /* absolute paths of directories on one file system */
	struct fuseoverlay *served; /* who serves it, where that is needed; the caller ends it */
};
/* The same with a writable layer on top. */
int imageroot_writable(struct store *s, const struct strs *layers, const struct imageroot_top *top,
		       struct arena *a, struct err *e);

#endif

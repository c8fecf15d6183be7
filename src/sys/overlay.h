/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay - overlay mounts as descriptors, on kernels that take layers one by one (Linux 6.7) and
 * on those that want them in one string.
 *
 * The directories are named by descriptor (/proc/self/fd/N): short, however deep they lie (an
 * fsconfig() value holds 255 bytes, a mount(2) one page), and the mount table shows no path of the
 * host.
 */
#ifndef SYS_OVERLAY_H
#define SYS_OVERLAY_H

#include "base/arena.h"

struct err;

#define OVERLAY_LOWER_MAX 500 /* OVL_MAX_STACK of the kernel */

struct overlay_spec {
	const struct strs *lower; /* top first */
	const char *upper, *work; /* NULL: read-only, of two layers or more */
	const char *options;	  /* more of them, "userxattr"; NULL: none */
};

/* A detached mount, or a negative errno: EINVAL when this kernel wants one string. */
int overlay_new(const struct overlay_spec *o, struct err *e);

/* The same, also for older kernels.  The caller is in a mount namespace of its own, in which this
 * may mount something on "/". */
int overlay_private(const struct overlay_spec *o, struct err *e);

/* The second half of that by itself, for its test. */
int overlay_one_string(const struct overlay_spec *o, struct err *e);

#endif

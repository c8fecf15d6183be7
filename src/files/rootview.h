/* SPDX-License-Identifier: Apache-2.0 */
/* rootview - the root of an instance that does not run, and the bare root of one that does. */
#ifndef FILES_ROOTVIEW_H
#define FILES_ROOTVIEW_H

#include <stddef.h>

struct err;

struct rootview_stack {
	const char *layer_ns; /* mount namespace in which the layers are seen, or NULL */
	const char **lower;   /* topmost first */
	size_t nlower;
	const char *upper, *work; /* NULL: read-only */
	const char *option;	  /* one more option of overlayfs, or NULL */
};

/* A detached overlay of these, nosuid, nodev and noexec: a descriptor of its root, for reading and
 * walking.  Enters layer_ns and stays there. */
int rootview_overlay(const struct rootview_stack *s, struct err *e);

/* The root of a mount namespace without anything that is mounted below it.  Enters it and stays. */
int rootview_bare(int mount_ns, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - an image of what an instance has become: its image's layers and one more.
 *
 * Nothing but the instance goes in: the image's time is when the instance was made, so the same
 * content gives the same digests however often it is committed.
 */
#ifndef ENGINE_COMMIT_H
#define ENGINE_COMMIT_H

#include "fmt/oci_image.h"

struct err;
struct session;

struct commit_opts {
	const char *instance, *ref; /* ref: NULL for a nameless image */
	const char *author, *message;
	const char *codec; /* "gzip", "zstd", "none" */
	bool pause;	   /* freeze it meanwhile */
	/* What else is to be changed in the configuration; strings in a.  NULL: nothing. */
	int (*change)(struct oci_config *c, struct arena *a, void *arg, struct err *e);
	void *arg;
};

/* Returns the id in *id (in a).  Errors: ERR_UNSUPPORTED a VM that does not run, or files no layer
 * can say; ERR_CONFLICT files that change while they are read. */
int commit_run(struct session *s, const struct commit_opts *o, struct arena *a, const char **id,
	       struct err *e);

#endif

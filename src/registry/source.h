/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - what images come from: a registry, a directory, an archive, behind four functions.
 *
 * Called from several threads at once; an implementation keeps what changes behind its own lock.
 */
#ifndef REGISTRY_SOURCE_H
#define REGISTRY_SOURCE_H

#include "spec/fetch.h"

#include <stdint.h>

struct arena;
struct blob_sink;
struct buf;
struct err;
struct source;

struct source_ops {
	/* What is there; ERR_UNSUPPORTED when the source cannot tell. */
	int (*list)(struct source *s, struct arena *a, struct fetch_list *out, struct err *e);
	/* The document a reference (NULL: the only one) stands for, at most OCI_MANIFEST_MAX. */
	int (*manifest)(struct source *s, const char *ref, struct buf *out, const char **media_type,
			struct arena *a, struct err *e);
	/* All bytes of a blob into the sink, which checks size and digest. */
	int (*blob)(struct source *s, const char *digest, struct blob_sink *sink, struct err *e);
	void (*close)(struct source *s);
};

struct source {
	const struct source_ops *ops;
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_pull - bring an image into the store, from wherever a source names:
 *
 *	debian:12, localhost:5000/x@sha256:...	a registry
 *	oci:DIR[:TAG]				an image layout
 *	oci-archive:FILE[:TAG]			the same in a tar file
 *	docker-archive:FILE[:REF]		what `docker save` writes
 *
 * Layers are fetched and unpacked several at once, each unpacked while its bytes arrive.  What the
 * store has is not fetched again.  On failure nothing is left behind that the next command does not
 * collect by itself.
 */
#ifndef ENGINE_IMAGE_PULL_H
#define ENGINE_IMAGE_PULL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

enum image_pull_policy { IMAGE_PULL_MISSING, IMAGE_PULL_ALWAYS, IMAGE_PULL_NEVER };

enum image_event_kind {
	IMAGE_EVENT_RESOLVED, /* digest: what the reference stands for; total: layers */
	IMAGE_EVENT_EXISTS,   /* a layer that is here already */
	IMAGE_EVENT_START,    /* a layer: total bytes */
	IMAGE_EVENT_BYTES,    /* a layer: done of total bytes came */
	IMAGE_EVENT_UNPACK,   /* a layer: all its bytes came, its unpacking goes on */
	IMAGE_EVENT_DONE,     /* a layer is in the store */
	/* Of image_push.h, with EXISTS (at the registry), BYTES and DONE: */
	IMAGE_EVENT_SEND,    /* a layer: total bytes may have to go */
	IMAGE_EVENT_MOUNTED, /* the registry took it from another repository of its own */
};

struct image_event {
	int kind;		    /* enum image_event_kind */
	const char *source;	    /* as typed */
	const char *digest;	    /* of the layer's blob */
	unsigned int layer, layers; /* which of how many, from 0 */
	uint64_t done, total;	    /* bytes */
};

struct image_pull_opts {
	const char *platform;	      /* "linux/arm64"; NULL: the host's */
	const char *data;	      /* directory of built-in images; NULL: there are none */
	int policy;		      /* enum image_pull_policy, for image_ensure() */
	const char *signature_policy; /* policy.json (engine/signature_gate.h); NULL: none */
	bool all_platforms;	      /* an index with all that it names */
	const char *as; /* name to record it under, in place of its own; NULL: its own */
	void (*progress)(const struct image_event *ev, void *arg); /* may be NULL */
	void *arg;
};

struct image_pulled {
	struct strs names; /* canonical; empty for a nameless image */
	const char *id, *digest;
	bool fresh; /* something had to be fetched or unpacked */
};

/* Strings of *out go into a.  Errors: ERR_USAGE, ERR_NOT_FOUND, ERR_DENIED, ERR_CORRUPT, ... */
int image_pull_run(struct store *s, const char *source, const struct image_pull_opts *o,
		   struct arena *a, struct image_pulled *out, struct err *e);

/* Every image of an archive (a file or a pipe, docker's or OCI's form), as `load` does. */
struct image_loaded {
	struct image_pulled *v;
	size_t n;
};
int image_pull_load(struct store *s, int fd, const char *name, const struct image_pull_opts *o,
		    struct arena *a, struct image_loaded *out, struct err *e);

#endif

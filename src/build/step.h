/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step - one instruction that makes files: RUN, COPY, ADD of local files, WORKDIR.
 *
 * Each makes at most one layer on top of those the stage has.  What it would make is found in the
 * build cache by a key over all that goes into it: the layers below, the words with their variables
 * replaced, what they see of the environment, and the digests of the files they take; never a time.
 */
#ifndef BUILD_STEP_H
#define BUILD_STEP_H

#include "build/filefind.h"
#include "build/imageconf.h"
#include "build/why.h"

#include <stdint.h>

struct dockerfile_instr;
struct err;
struct session;
struct stage;
struct store;

/* What a stage has made so far. */
struct step_state {
	struct imageconf conf;
	struct oci_descriptors blobs; /* of its layers, bottom first; diff ids are in conf */
	int64_t made_ns;	      /* when the newest part of it was made; 0: nothing was */
};

/* What all steps of a build share. */
struct step_env {
	struct session *s;
	struct store *store;
	struct stage *lease; /* holds the layers of the build */
	struct filefind_root context;
	/* The files of COPY --from=NAME: a root to read, closed by the caller of the build. */
	int (*from)(void *ctx, const char *name, struct filefind_root *out, struct err *e);
	/* A step's output. */
	void (*output)(void *ctx, const char *data, size_t len);
	const struct lockfile *lock; /* what names stand for */
	void (*pinned)(void *ctx, bool git, const char *name, const char *value);
	/* Why it is not in the cache; NULL: nobody asks. */
	void (*explain)(void *ctx, const char *text);
	struct why why;	   /* of the step that is done; its owner calls why_done() */
	const char *place; /* of it in the file, for the next build's explanation */
	/* The key of each step, as soon as its layer is there; NULL: nobody wants it. */
	void (*keyed)(void *ctx, const char key[65]);
	/* Steps that were done elsewhere, by their keys, in order: they come from the cache without
	 * a look at what goes into them. */
	const struct strs *replay;
	size_t replayed;
	void *ctx;
	bool no_cache;
	bool vary;     /* a step is to see other settings than it would, verify.h */
	int isolation; /* enum plan_isolation: of what runs; no part of a key */
	bool epoch_set;
	int64_t epoch; /* seconds: no file of a layer is younger */
	const char *codec, *network;
	struct strs hosts;   /* NAME:ADDRESS */
	struct strs secrets; /* ID=PATH */
	struct strs ssh;     /* ID=SOCKET */
	uint64_t memory_bytes;
	int64_t nano_cpus;
	uint64_t shm_bytes;
};

struct step_result {
	bool cached;
	int code; /* of RUN: its exit code; the step failed when it is not 0 */
};

/* Whether the instruction is one of these. */
bool step_makes_files(const struct dockerfile_instr *in);

/* Do it, or find it done: st gains a layer, if files came of it, and a line of history.  Errors:
 * ERR_USAGE, ERR_NOT_FOUND, ERR_UNSUPPORTED for what cannot be done, without a line; -ENOENT
 * without a message for what was to be replayed and is gone. */
int step_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
	    struct step_result *out, struct err *e);

/* Add a layer that is in the store to a stage; strings are borrowed. */
void step_add_layer(struct step_state *st, const struct oci_descriptor *blob);

#endif

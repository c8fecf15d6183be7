/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder - a Dockerfile and a context become an image.
 *
 * Only the stages that the target needs are built, in the order of their needs.  Steps come from
 * the build cache when nothing that goes into them has changed (step.h).
 */
#ifndef BUILD_BUILDER_H
#define BUILD_BUILDER_H

#include "base/arena.h"
#include "build/lint.h"
#include "build/provenance.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

enum builder_event_kind {
	BUILDER_BASE,	 /* a stage's base image is looked for */
	BUILDER_STEP,	 /* a step begins */
	BUILDER_OUTPUT,	 /* text of a RUN */
	BUILDER_MISS,	 /* why it was not in the cache */
	BUILDER_CACHED,	 /* the step was there already */
	BUILDER_DONE,	 /* it is done; ns: what it took */
	BUILDER_DEBUG,	 /* the image of what a RUN that failed stood on */
	BUILDER_PIN,	 /* nobody's but the builder's: for its lock file */
	BUILDER_WARNING, /* of a check */
};

struct builder_event {
	int kind; /* enum builder_event_kind */
	const char *stage;
	unsigned int number, step, steps; /* number: of the step in the whole build, from 1 */
	const char *text;		  /* instruction, output, warning */
	size_t len;			  /* of output */
	int line;
	int64_t ns;
};

struct builder_opts {
	const char *context;  /* a directory, a web or git address, "-": an archive on stdin */
	const char *file;     /* of the Dockerfile; NULL: Dockerfile or Containerfile in the
				 context; "-": stdin */
	struct strs contexts; /* NAME=, and what a context can be, or docker-image://REF,
			       * oci-layout://DIRECTORY */
	struct strs no_cache_filter;	  /* stages */
	struct strs tags;		  /* names */
	struct strs args;		  /* NAME=VALUE or NAME */
	struct strs labels;		  /* KEY=VALUE */
	struct provenance_wish attest;
	struct strs cache_to, cache_from; /* as docs/cli/build.md has them */
	struct strs hosts, secrets, ssh;  /* secrets: ID=PATH, ssh: ID=SOCKET */
	const char *target, *platform, *network, *codec;
	const char *lock; /* a file, build/lockfile.h; NULL: none */
	bool no_cache, pull, check, reproducible, explain;
	bool squash, debug; /* debug: keep what a RUN that fails stood on */
	bool vary;	    /* for the steps much is different: verify.h */
	int isolation;	    /* enum plan_isolation */
	uint64_t memory_bytes, shm_bytes;
	int64_t nano_cpus;
	void (*progress)(const struct builder_event *ev, void *arg);
	void *arg;
};

struct builder_result {
	const char *id, *manifest; /* digests */
	struct strs names;	   /* canonical */
	unsigned int warnings;
	bool failed_check; /* --check, or check=error=true, found something */
	/* A RUN that ended with a code other than 0, or an instruction that could not be done. */
	int line;
	const char
	    *excerpt; /* lines of the Dockerfile around it, marked; NULL when there is none */
	int code;
	unsigned int number; /* of the step */
	const char *before;  /* with .debug: the id of the nameless image of what it stood on */
};

/* Everything in *out lives in a.  On failure out->line and out->excerpt say where, if they are set.
 * Errors: ERR_USAGE for the Dockerfile, ERR_NOT_FOUND, ERR_UNSUPPORTED, and what a pull says. */
int builder_run(struct session *s, const struct builder_opts *o, struct arena *a,
		struct builder_result *out, struct err *e);

/* The image that a build left for --debug-shell, or for a comparison, goes. */
int builder_forget(struct session *s, const char *id, struct err *e);

#endif

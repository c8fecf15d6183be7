/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagework - the stages of a build, independent ones at the same time.
 *
 * Theory of operation: a stage whose needs are met is built by a process of its own, at most as
 * many as there are CPUs; one that nothing could go beside is built right here.  Such a process
 * tells its events and the keys of its steps as it goes.  When it is done it waits, so that its
 * leases hold, until the stage has been played again here from the build cache by those keys, which
 * costs nothing and gives the state that others build on.  The first failure ends all.
 */
#ifndef BUILD_STAGEWORK_H
#define BUILD_STAGEWORK_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct builder_event;
struct err;
struct stages;

/* Why a stage failed, for the report. */
struct stagework_failure {
	int line, code;
	unsigned int number; /* of the step */
};

struct stagework {
	const struct stages *stages;
	bool alone; /* one after the other */
	void *ctx;
	/* Build one.  up: where stagework_tell() and stagework_key() go, -1: here. */
	int (*build)(void *ctx, size_t stage, int up, struct stagework_failure *why, struct err *e);
	void (*leave)(void *ctx); /* the end of a process that built one */
	/* Play it again; -ENOENT when the cache lost something. */
	int (*replay)(void *ctx, size_t stage, const struct strs *keys, struct err *e);
	void (*event)(void *ctx, const struct builder_event *ev);
};

int stagework_run(const struct stagework *w, struct stagework_failure *why, struct err *e);

void stagework_tell(int up, const struct builder_event *ev);
void stagework_key(int up, const char key[65]);

#endif

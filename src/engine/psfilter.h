/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psfilter - which instances `ps --filter` shows.  Values of one key are alternatives (of label:
 * all must hold), keys are conditions.
 */
#ifndef ENGINE_PSFILTER_H
#define ENGINE_PSFILTER_H

#include "base/arena.h"
#include "spec/record.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct lookup;
struct session;

struct psfilter {
	char pod[INSTANCE_ID + 1]; /* id; empty: any */
	struct strs list;	   /* KEY=VALUE as typed */
	/* Created before / after these; 0: no bound. */
	int64_t before_ns, since_ns;
	bool states; /* asks about states: those that do not run are meant too */
};

/* Errors: ERR_USAGE an unknown key or value; ERR_NOT_FOUND the instance of before= or since=. */
int psfilter_init(struct session *s, const struct strs *list, struct psfilter *out, struct err *e);
bool psfilter_fits(const struct psfilter *f, const struct lookup *l);

#endif

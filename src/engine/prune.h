/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prune - whatever nobody uses goes: images, ended instances, anonymous volumes, leftovers.
 *
 * Safe against commands that run meanwhile: images and volumes go under STORE_EXCLUSIVE, which
 * nobody holds between finding a thing and recording that it uses it; what is being pulled is
 * leased (store/stage.h); an instance that somebody is starting holds its lock.
 */
#ifndef ENGINE_PRUNE_H
#define ENGINE_PRUNE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

struct prune_opts {
	bool all;     /* images (prune_volumes: volumes) with names too, when nobody uses them */
	bool volumes; /* and anonymous volumes that no instance uses */
	struct strs filters; /* "until=TIME|DURATION", "label=K[=V]", "label!=K[=V]" */
};

struct prune_result {
	struct strs instances; /* ids */
	struct strs volumes;   /* names */
	struct strs networks;  /* names */
	struct strs untagged;  /* names of images */
	struct strs deleted;   /* ids of images */
	uint64_t bytes;	       /* disk space that is free again */
};

/* ERR_USAGE: a filter that is not understood.  Checked before anything is removed. */
int prune_images(struct session *s, const struct prune_opts *o, struct arena *a,
		 struct prune_result *out, struct err *e);
/* Instances that do not run. */
int prune_instances(struct session *s, const struct prune_opts *o, struct arena *a,
		    struct prune_result *out, struct err *e);
/* ERR_USAGE also for "until": as in docker it has no meaning for volumes. */
int prune_volumes(struct session *s, const struct prune_opts *o, struct arena *a,
		  struct prune_result *out, struct err *e);
/* Networks to which nothing is attached; out->networks has their names. */
int prune_networks(struct session *s, const struct prune_opts *o, struct arena *a,
		   struct prune_result *out, struct err *e);
int prune_system(struct session *s, const struct prune_opts *o, struct arena *a,
		 struct prune_result *out, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountopt - the options of one entry of config.json's "mounts", sorted by who acts on them.
 * Source: runtime-spec 1.2, config.md, "Linux mount options"; mount(8).
 */
#ifndef RUNTIME_MOUNTOPT_H
#define RUNTIME_MOUNTOPT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

#define MOUNTOPT_PROPAGATIONS 8

struct mountopt {
	uint64_t set, clear;			     /* MOUNT_ATTR_* of this mount */
	uint64_t rset, rclear;			     /* the same for it and all below ("rro") */
	uint64_t propagation[MOUNTOPT_PROPAGATIONS]; /* MS_SHARED... perhaps | MS_REC, in order */
	unsigned int propagations;
	bool bind, recursive; /* "bind"; "rbind" sets both */
	bool flags;	      /* one of the flags of this mount was named, be it to clear it */
	bool atime;	      /* one that sets how access times are kept, which "atime" does not */
	bool copy_up;	      /* "tmpcopyup" */
	bool idmap, ridmap;
	struct strs data; /* what the file system itself is told: "size=64k" */
};

/* Unknown options are the file system's (.data).  Strings are borrowed.
 * Errors: ERR_LIMIT for more propagation options than any mount can need. */
int mountopt_parse(const struct strs *options, struct arena *a, struct mountopt *out,
		   struct err *e);

/* One word such as "rslave": MS_* flags, 0 when it is not a propagation. */
unsigned long mountopt_propagation(const char *word);

/* The n-th option word this version understands, NULL behind the last (for `features`). */
const char *mountopt_name(unsigned int n);

#endif

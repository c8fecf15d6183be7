/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runmount - RUN --mount: files of the context or another stage, cache directories, memory,
 * secrets.
 *
 * What is bound is a copy in a stage of the store (writes to it are lost with it), except a cache,
 * which is a directory of the store that outlives builds, and a secret, which is the user's own
 * file, read only.  A secret's content is in no key, no layer and no log of ours.
 */
#ifndef BUILD_RUNMOUNT_H
#define BUILD_RUNMOUNT_H

#include "build/step.h"

struct arena;
struct dockerfile_instr;
struct request;
struct sha256;

#define RUNMOUNT_MAX	64
#define RUNMOUNT_CACHES "cache/mounts" /* of the store: the directories of --mount=type=cache */

enum runmount_type { RUNMOUNT_BIND, RUNMOUNT_CACHE, RUNMOUNT_TMPFS, RUNMOUNT_SECRET, RUNMOUNT_SSH };

struct runmount {
	int type;
	const char *target, *source, *id, *from; /* target: absolute */
	const char *path;			 /* on the host */
	const char *env;			 /* secret: a variable instead of a file, or both */
	uint64_t size;				 /* tmpfs: 0 for no limit */
	bool readonly, required;
	int sharing; /* cache: enum runmount_sharing */
	uint32_t uid, gid;
	mode_t mode;
	int lock; /* cache: descriptor */
	unsigned char sum[32];
};

struct runmounts {
	struct runmount v[RUNMOUNT_MAX];
	size_t n;
	struct stage *stage; /* copies lie here */
	const struct step_env *env;
};

/* Read the flags and digest the files.  Errors: ERR_USAGE, ERR_NOT_FOUND, ERR_UNSUPPORTED. */
int runmount_prepare(struct runmounts *m, struct step_env *env, struct step_state *st,
		     const struct dockerfile_instr *in, struct arena *a, struct err *e);

/* Everything that decides what the step sees. */
void runmount_key(const struct runmounts *m, struct sha256 *h);

void runmount_note(const struct runmounts *m, struct why *w);

/* Make the copies and directories, take the locks, and put the mounts into the request.  script: a
 * program's text to show at script_path, or NULL. */
int runmount_request(struct runmounts *m, const char *script, const char *script_path,
		     struct request *q, struct arena *a, struct err *e);

/* The name in RUNMOUNT_CACHES of what an id means; number: of those that are private. */
const char *runmount_cache_name(const char *id, int number, struct arena *a);
/* Make RUNMOUNT_CACHES, if it is not there. */
int runmount_caches(struct store *s, struct err *e);

/* Let go of copies and locks. */
void runmount_done(struct runmounts *m);

#endif

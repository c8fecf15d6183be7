/* SPDX-License-Identifier: Apache-2.0 */
/* step_int - what the files of the steps share: keys, and turning an upper directory into a layer.
 */
#ifndef BUILD_STEP_INT_H
#define BUILD_STEP_INT_H

#include "build/step.h"

struct sha256;

void step_key_begin(struct step_env *env, const struct step_state *st, const char *kind,
		    struct sha256 *h);
void step_key_text(struct sha256 *h, const char *text); /* NULL is not "" */
void step_key_list(struct sha256 *h, const struct strs *l);
/* A text that people know by this name. */
void step_key_note(struct step_env *env, struct sha256 *h, const char *name, const char *text);

/* End the key; 1 when the cache had the step and st has its layer now, else 0 and the key. */
int step_cached(struct step_env *env, struct step_state *st, struct sha256 *h, const char *history,
		char key[65], struct err *e);

struct step_written {
	int upper_fd;
	bool fuse; /* by fuse-overlayfs (store/rootdriver.h) */
};

/* What is in the upper directory becomes a layer: 1, or 0 when there is nothing. */
struct layer_made;
int step_pack(struct step_env *env, struct step_state *st, const struct step_written *w,
	      struct layer_made *out, struct err *e);

/* The same, and it is a layer of st, with a cache entry and a line of history. */
int step_commit(struct step_env *env, struct step_state *st, const struct step_written *w,
		const char *history, const char *key, struct err *e);

/* The same of an archive that write() makes (engine/layer_make.h); NULL: no file came of it. */
int step_stream(struct step_env *env, struct step_state *st,
		int (*write)(void *ctx, int fd, struct err *e), void *ctx, const char *history,
		const char *key, struct err *e);

/* The same of a layer that is made, NULL: no file came of it. */
int step_keep(struct step_env *env, struct step_state *st, const struct layer_made *made,
	      const char *history, const char *key, struct err *e);

/* "upper" and "work" in a stage's directory. */
struct step_upper {
	struct stage *stage;
	const char *upper, *work; /* absolute */
	int fd;			  /* of upper */
	bool fuse;		  /* by fuse-overlayfs */
};
int step_upper_new(struct step_env *env, struct arena *a, struct step_upper *out, struct err *e);
void step_upper_free(struct step_upper *u);

/* UID[:GID] or names, looked up in the root's files; without a group the user's own. */
int step_owner(int root_fd, const char *text, uint32_t *uid, uint32_t *gid, struct err *e);

#endif

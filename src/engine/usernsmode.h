/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usernsmode - what stands behind --userns: host, auto[:size=N], keep-id[:uid=N,gid=N], nomap.
 * The words and their meaning are podman's (podman-run(1)).
 */
#ifndef ENGINE_USERNSMODE_H
#define ENGINE_USERNSMODE_H

#include "spec/plan.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct store;

enum usernsmode_kind { USERNSMODE_HOST, USERNSMODE_AUTO, USERNSMODE_KEEP_ID, USERNSMODE_NOMAP };

struct usernsmode {
	enum usernsmode_kind kind;
	uint32_t size;	  /* auto; 0: the default */
	int64_t uid, gid; /* keep-id; -1: the user's own */
};

/* said may be NULL.  Errors: ERR_USAGE malformed; ERR_UNSUPPORTED container:, ns:, private and
 * mappings of one's own, by name; keep-id and nomap for root, who has no id to keep. */
int usernsmode_parse(const char *said, struct usernsmode *out, struct err *e);

/* The maps of a user namespace, from the engine's ids; both empty for the host's. */
struct usernsmode_maps {
	struct plan_idmaps uids, gids;
	const char *user; /* "UID:GID" whom the process is unless somebody says so; or NULL */
};
int usernsmode_maps(const struct usernsmode *m, const struct store *s, const char *id,
		    struct arena *a, struct usernsmode_maps *out, struct err *e);

/* Has such an instance other ids than the engine? */
bool usernsmode_shifts(const char *said);

#endif

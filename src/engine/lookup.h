/* SPDX-License-Identifier: Apache-2.0 */
/* lookup - instances by what users call them, and what has become of them. */
#ifndef ENGINE_LOOKUP_H
#define ENGINE_LOOKUP_H

#include "spec/record.h"

struct err;
struct lookup_cache;
struct session;

struct lookup {
	struct instance i;
	struct instance_state state;
	const char *network; /* the first of its request, if that was read already; else NULL */
};
struct lookups {
	struct lookup *v;
	size_t n;
};

/* By name, id or unique beginning of an id. */
int lookup_find(struct session *s, const char *what, struct arena *a, struct lookup *out,
		struct err *e);
/* Every instance, newest first. */
int lookup_all(struct session *s, struct arena *a, struct lookups *out, struct err *e);

/* What lookup_all() has read of instances that do not run, for the next time: theirs is whatever
 * lies in one directory, whose time changes with every file that comes, goes or is replaced there.
 * Set as session.lookups.  What lookup_all() gives with one lives until its next call. */
struct lookup_cache *lookup_cache_new(void);
void lookup_cache_free(struct lookup_cache *c);

extern const char *const *const lookup_status_names; /* NULL-terminated */
/* "created", "running", "paused", "restarting", "exited". */
const char *lookup_status(const struct lookup *l);
/* As docker's ps says it: "Up 3 minutes", "Exited (1) 2 hours ago".  now: since the epoch. */
const char *lookup_status_text(const struct lookup *l, int64_t now_ns, struct arena *a);
/* "2 hours", "About a minute". */
const char *lookup_duration(int64_t ns, struct arena *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* clone - new instances that begin as another one is now, or was when it was saved. */
#ifndef ENGINE_CLONE_H
#define ENGINE_CLONE_H

struct arena;
struct err;
struct session;
struct strs;

#define CLONE_MAX 1000

struct clone_request {
	const char *source; /* an instance, by name or id, or a snapshot */
	const char *name; /* NULL: names of ours; with more than one the beginning of NAME-1, ... */
	int count;
	int memory; /* enum snapshot_memory, of an instance */
};

/* They run if the source does, or did.  names: what they are called, in a.  All are made, or none.
 * Errors: ERR_NOT_FOUND, ERR_EXISTS a name is taken, ERR_UNSUPPORTED what snapshots are not of. */
int clone_run(struct session *s, const struct clone_request *q, struct arena *a, struct strs *names,
	      struct err *e);

#endif

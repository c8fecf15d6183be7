/* SPDX-License-Identifier: Apache-2.0 */
/* remove - instances go, and whatever was kept for them. */
#ifndef ENGINE_REMOVE_H
#define ENGINE_REMOVE_H

#include <stdbool.h>

struct err;
struct instance;
struct lookups;
struct session;

enum remove_flags {
	REMOVE_FORCE = 1,   /* kill it first */
	REMOVE_VOLUMES = 2, /* and its anonymous volumes */
	REMOVE_POD = 8,	    /* it may be a pod: one without members */
	/* What nobody can see may go after the return, in a process of its own: its network, its
	 * files.  Its name is free. */
	REMOVE_SOON = 4,
};

/* ERR_CONFLICT: it runs, and no force; it is a pod, and not so meant, or it has members. */
int remove_instance(struct session *s, const struct instance *i, unsigned int flags, struct err *e);

/* It is killed, however far its start has come; returns when its monitor is gone. */
int remove_end(struct session *s, const char *id, struct err *e);

/* An instance has ended, or its monitor died: give back its network and, with --rm, remove it.
 * Waits for the monitor to go.  Does nothing to one that was started again meanwhile.
 * flags: 0 or REMOVE_SOON, for a command that ends when this returns. */
int remove_ended(struct session *s, const char *id, unsigned int flags, struct err *e);

/* Of an instance that ended unseen: its cgroup; from then on it has an exit record, "unknown". */
void remove_traces(struct session *s, const char *id);

/* What killed commands and monitors left behind: half-made instances, networks of instances that
 * do not run, instances that were to be removed at their end.  Never fails.  seen: every
 * instance as the caller has just looked it up, which is not done again; or NULL. */
void remove_leftovers(struct session *s, const struct lookups *seen);

#endif

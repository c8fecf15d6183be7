/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance - the records of instances on disk, their names, their locks and their true state.
 *
 * On disk (docs/formats/instance.md):
 *	root/instances/ID/record.json	what was created; its presence makes the instance exist
 *	root/instances/ID/start.json	written by the monitor when the process runs
 *	root/instances/ID/exit.json	written by the monitor when it has ended
 *	root/instances/ID/again.json	it is owed a restart, whoever lives to do it
 *	root/names/NAME			symbolic link whose text is the id; made exclusively
 *	run-root/instances/ID/lock	locked (F_OFD_SETLK) by the monitor as long as it lives
 *
 * Invariants:
 *  1. The directory of an instance appears complete but for record.json, locked by its maker; a
 *     directory without record.json that nobody locks is garbage.
 *  2. A name belongs to the instance its link names; a link to an id without a directory is free.
 *  3. State is derived, never stored: the monitor's lock held means running, whatever files say.
 *     Not held and no exit.json after a start.json: it ended unseen (kill -9, power cut).
 *  4. Verbs that change an instance hold flock on its directory.  Order: one instance, then names.
 */
#ifndef STORE_INSTANCE_H
#define STORE_INSTANCE_H

#include "base/arena.h"
#include "fmt/jbind.h"
#include "spec/record.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

extern const char *const instance_status_names[]; /* "created", "running", ... */

/* The documents of start.json and exit.json. */
struct instance_start {
	int64_t pid, monitor_pid, started_ns, restarts;
	const char *address;
	struct strs ports;
	bool health; /* it has a health check, and a health.json */
};
struct instance_exit {
	int64_t code, finished_ns; /* code as a shell shows it: 128 + n by signal */
	bool oom, stopped;
	const char *error;
};
/* again.json: it is to be started again.  Written before exit.json, removed behind start.json. */
struct instance_again {
	int64_t restarts, wait_ms; /* of the start that is owed */
};
extern const struct jbind instance_start_table, instance_exit_table, instance_again_table;
/* Of record.json: struct instance. */
extern const struct jbind instance_table;

/* A new random id. */
void instance_new_id(char id[INSTANCE_ID + 1]);
/* [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most INSTANCE_NAME_MAX.  ERR_USAGE. */
int instance_check_name(const char *name, struct err *e);

/* Make the directory and take the name.  Returns the directory's descriptor, locked, which the
 * caller fills before instance_commit().  ERR_EXISTS the name is taken, ERR_USAGE a bad name. */
int instance_create(int root_fd, const char *id, const char *name, struct err *e);
/* Write record.json: from here on the instance exists.  durable: also after a power cut. */
int instance_commit(int dir_fd, const struct instance *i, bool durable, struct err *e);

/* Take the new name, write the record, let the old name go: a kill -9 in between leaves two names
 * of which the record tells the true one; the other is free for whoever asks for it.  dir_fd: from
 * instance_lock(). */
int instance_rename(int root_fd, int dir_fd, struct instance *i, const char *name, struct err *e);

/* By id, unique id prefix, or name.  ERR_NOT_FOUND names what was typed. */
int instance_find(int root_fd, const char *what, struct arena *a, struct instance *out,
		  struct err *e);
int instance_load(int root_fd, const char *id, struct arena *a, struct instance *out,
		  struct err *e);
/* Every complete instance, in no order; what each() returns < 0 ends the walk. */
int instance_each(int root_fd, int (*each)(const char *id, void *arg), void *arg, struct err *e);

/* Its directory, locked until the descriptor is closed.  ERR_NOT_FOUND when it went away. */
int instance_lock(int root_fd, const char *id, struct err *e);
/* The same without waiting: ERR_CONFLICT. */
int instance_try_lock(int root_fd, const char *id, struct err *e);

/* The monitor's lock: taken (the descriptor is handed to the monitor) or ERR_CONFLICT while one
 * lives.  Makes the run directory. */
int instance_run_lock(int run_fd, const char *id, struct err *e);
/* Wait until no monitor holds it. */
int instance_run_wait(int run_fd, const char *id, struct err *e);
bool instance_alive(int run_fd, const char *id);

int instance_state(int root_fd, int run_fd, const char *id, struct arena *a,
		   struct instance_state *out, struct err *e);

/* Remove record, name and directories, in an order that leaves garbage for the sweep and never
 * half an instance.  The caller holds the lock, and has removed what others keep for it. */
int instance_remove(int root_fd, int run_fd, const struct instance *i, struct err *e);

/* The first part of it: nobody finds the instance any more and its name is free; what is left is
 * garbage for the sweep, as soon as the lock is let go. */
int instance_forget(int root_fd, const struct instance *i, struct err *e);

/* Remove what a killed command left: directories without a record that nobody locks.  Calls
 * gone(id) before each, so that the engine removes what other parts keep for it. */
int instance_sweep(int root_fd, int run_fd, int (*gone)(const char *id, void *arg), void *arg);

#endif

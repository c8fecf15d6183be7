/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_ctl - the verbs of snapshots: create, ls, inspect, rm, restore. */
#ifndef ENGINE_SNAPSHOT_CTL_H
#define ENGINE_SNAPSHOT_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct err;
struct instance;
struct session;
struct snapshot;
struct strs;

struct snapshot_create {
	const char *instance, *name; /* name: NULL for one of ours */
	int memory;		     /* enum snapshot_memory */
};
/* *name in a; *pause_ns: how long the instance stood still, 0: unknown. */
int snapshot_ctl_create(struct session *s, const struct snapshot_create *o, struct arena *a,
			const char **name, int64_t *pause_ns, struct err *e);

struct snapshot_row {
	const char *name, *instance, *kind;
	int64_t created_ns;
	uint64_t bytes; /* on disk, without the image */
};
struct snapshot_rows {
	struct snapshot_row *v;
	size_t n;
};
/* broken: names of what is there and cannot be read. */
int snapshot_ctl_list(struct session *s, struct arena *a, struct snapshot_rows *out,
		      struct strs *broken, struct err *e);
int snapshot_ctl_inspect(struct session *s, const char *name, struct buf *text, struct err *e);
int snapshot_ctl_remove(struct session *s, const char *name, struct err *e);

/* The instance goes back to what it was; one that is gone is made again, under its name and id.
 * force: it may run.  *name: what it is called.  Errors: ERR_CONFLICT it runs; ERR_EXISTS its name
 * is another one's now; what snapshot_open(), snapshot_verify() and start_wait() say. */
int snapshot_ctl_restore(struct session *s, const char *snapshot, bool force, struct arena *a,
			 const char **name, struct err *e);

/* The instance's disk becomes the snapshot's, whose directory is dir, if it has one. */
int snapshot_ctl_put_disk(int dir, int instance_dir, struct err *e);
/* The record of the instance as it was. */
int snapshot_ctl_instance(const struct snapshot *sn, struct arena *a, struct instance *out,
			  struct err *e);

#endif

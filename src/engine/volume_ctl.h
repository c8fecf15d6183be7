/* SPDX-License-Identifier: Apache-2.0 */
/* volume_ctl - the verbs about volumes: create, list, describe, remove, and who uses one. */
#ifndef ENGINE_VOLUME_CTL_H
#define ENGINE_VOLUME_CTL_H

#include "base/arena.h"
#include "store/volume.h"

#include <stdbool.h>

struct buf;
struct err;
struct instance_mount;
struct session;
struct store;

/* Make it: v->name NULL gives it a new id.  One that is there with the same labels and options, or
 * when none were asked for, is no error.  Errors: ERR_USAGE a bad name, label or option,
 * ERR_UNSUPPORTED what the local driver would mount and we do not, ERR_EXISTS it is another. */
int volume_ctl_create(struct session *s, const struct volume *v, struct arena *a, const char **name,
		      struct err *e);

struct volumes {
	struct volume *v;
	size_t n;
};
/* Sorted by name.  filters: dangling=BOOL, driver=NAME, label=K[=V], name=PART; values of name and
 * driver are alternatives, all else must hold. */
int volume_ctl_list(struct session *s, const struct strs *filters, struct arena *a,
		    struct volumes *out, struct err *e);

/* As docker's `volume inspect` and, in one line of strings, its `volume ls`. */
int volume_ctl_inspect(struct session *s, const char *name, struct buf *out, struct err *e);
void volume_ctl_row(struct session *s, const struct volume *v, struct arena *a, struct buf *out);

/* ERR_CONFLICT names who uses it; force: what does not exist is no error. */
int volume_ctl_remove(struct session *s, const char *name, bool force, struct err *e);

/* With docker's mark of those nobody named. */
struct strs volume_ctl_labels(const struct volume *v, struct arena *a);

/* Ids of the instances, running or not, that have it, but for one.  Only under STORE_EXCLUSIVE is
 * nobody added meanwhile. */
int volume_ctl_users(struct store *store, const char *name, const char *but, struct arena *a,
		     struct strs *out, struct err *e);

/* The volume of a mount: made when missing, and its source and options filled in.  The caller holds
 * STORE_SHARED until the instance is recorded. */
int volume_ctl_use(struct store *store, struct instance_mount *m, struct arena *a, struct err *e);

#endif

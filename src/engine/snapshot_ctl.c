/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/snapshot_ctl.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/eventlog.h"
#include "engine/lookup.h"
#include "engine/remove.h"
#include "engine/session.h"
#include "engine/snapshot_take.h"
#include "engine/start.h"
#include "net/attach.h"
#include "spec/plan.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/rootfs.h"
#include "store/snapshot.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/du.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/sparse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- create ---- */

static const char *some_name(const struct instance *i, struct arena *a)
{
	char id[INSTANCE_ID + 1];

	instance_new_id(id);
	return arena_printf(a, "%.100s-%.8s", i->name, id);
}

/* From looking for the image to the record that holds it nothing may be collected. */
static int publish(struct session *s, struct stage *stage, struct snapshot *sn, struct arena *a,
		   struct err *e)
{
	const char *path = arena_printf(a, "%s/" SNAPSHOT_TAKE_DIR, stage_path(stage));
	auto_fd int dir = path_open(store_root_fd(s->store), path, O_RDONLY | O_DIRECTORY, 0, 0);
	auto_fd int lock = -1;
	struct image *image = NULL;
	int r;

	if (dir < 0) {
		errno = -dir;
		return err_sys(e, "snapshot");
	}
	lock = store_lock(s->store, STORE_SHARED, e);
	if (lock < 0)
		return lock;
	r = image_find_id(s->store, sn->image_id, &image, e);
	image_close(image);
	return r < 0 ? r : snapshot_publish(s->store, dir, path, sn, a, e);
}

static int create(struct session *s, const struct snapshot_create *o, const struct lookup *l,
		  struct arena *a, struct snapshot *sn, struct err *e)
{
	struct stage *stage = NULL;
	int r = stage_new(s->store, &stage, e);

	if (r >= 0)
		r = snapshot_take_run(s, l, o->memory, stage, a, sn, e);
	if (r >= 0) {
		sn->name = o->name ? o->name : some_name(&l->i, a);
		r = publish(s, stage, sn, a, e);
		if (r < 0)
			snapshot_take_drop(s, sn->image_id);
	}
	stage_free(stage);
	return r;
}

int snapshot_ctl_create(struct session *s, const struct snapshot_create *o, struct arena *a,
			const char **name, int64_t *pause_ns, struct err *e)
{
	struct snapshot sn = {0};
	struct lookup l;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r == 0 && o->name)
		r = instance_check_name(o->name, e);
	if (r == 0)
		r = lookup_find(s, o->instance, a, &l, e);
	if (r == 0)
		r = create(s, o, &l, a, &sn, e);
	if (r < 0)
		return err_wrap(e, r, "snapshot of '%.100s'", o->instance);
	eventlog_instance(store, &l.i, "snapshot", "snapshot", sn.name);
	*name = sn.name;
	*pause_ns = sn.pause_ns;
	return 0;
}

/* ---- list, inspect, remove ---- */

int snapshot_ctl_instance(const struct snapshot *sn, struct arena *a, struct instance *out,
			  struct err *e)
{
	int r;

	*out = (struct instance){0};
	r = jbind_parse(&instance_table, sn->instance, strlen(sn->instance), out, a,
			"snapshot's instance", e);
	if (r < 0)
		return r;
	if (!out->request || strspn(out->id, "0123456789abcdef") != INSTANCE_ID ||
	    strlen(out->id) != INSTANCE_ID)
		return err_set(e, ERR_CORRUPT, "snapshot '%s' is damaged: it names no instance",
			       sn->name);
	return instance_check_name(out->name, e);
}

int snapshot_ctl_list(struct session *s, struct arena *a, struct snapshot_rows *out,
		      struct strs *broken, struct err *e)
{
	struct snapshots all;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = snapshot_list(store, a, &all, broken, e);
	if (r < 0)
		return r;
	*out = (struct snapshot_rows){.v = arena_array(a, all.n + 1, sizeof(*out->v)), .n = all.n};
	for (size_t i = 0; i < all.n; i++) {
		const struct snapshot *sn = &all.v[i];
		struct instance was;
		struct snapshot_row *row = &out->v[i];

		*row = (struct snapshot_row){.name = sn->name,
					     .kind = snapshot_kind_names[sn->kind],
					     .created_ns = sn->created_ns,
					     .instance = ""};
		if (snapshot_ctl_instance(sn, a, &was, NULL) == 0)
			row->instance = was.name;
		du_add(store_root_fd(store), arena_printf(a, "snapshots/%s", sn->name),
		       &row->bytes);
	}
	return 0;
}

int snapshot_ctl_inspect(struct session *s, const char *name, struct buf *text, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct snapshot sn;
	struct store *store;
	auto_fd int dir = -1;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	dir = snapshot_open(store, name, &a, &sn, e);
	if (dir < 0)
		return dir;
	jbind_write(&snapshot_table, &sn, text);
	return buf_fail(text, "snapshot", e);
}

int snapshot_ctl_remove(struct session *s, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *image_id = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = snapshot_remove(store, name, &a, &image_id, e);
	if (r == 0 && image_id)
		snapshot_take_drop(s, image_id);
	return r;
}

/* ---- restore ---- */

int snapshot_ctl_put_disk(int dir, int instance_dir, struct err *e)
{
	static const char fresh[] = "disk.ext4.new";
	auto_fd int from = openat(dir, "disk", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int to = -1;

	if (from < 0)
		return errno == ENOENT ? 0 : err_sys(e, "snapshot: disk");
	unlinkat(instance_dir, fresh, 0);
	to = openat(instance_dir, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(e, "disk of the instance");
	errno = -sparse_copy(from, to);
	if (!errno && renameat(instance_dir, fresh, instance_dir, "disk.ext4") == 0)
		return 0;
	err_sys(e, "disk of the instance");
	unlinkat(instance_dir, fresh, 0);
	return -EIO;
}

static int mark(int dir, const char *snapshot, struct err *e)
{
	errno = -file_replace(dir, START_RESTORING, snapshot, strlen(snapshot), 0600, FILE_DURABLE);
	return errno ? err_sys(e, "restore") : 0;
}

/* What an instance of this id has in place of what it had.  From the mark on until it goes nothing
 * starts it: a kill -9 leaves something to be restored again, never a mixture that runs. */
static int replace(struct session *s, const struct snapshot *sn, int from, int dir,
		   const struct instance *i, struct err *e)
{
	int r = mark(dir, sn->name, e);

	if (r == 0 && sn->kind == SNAPSHOT_FILES)
		r = rootfs_remove(s->store, i->id, e);
	if (r == 0)
		r = snapshot_ctl_put_disk(from, dir, e);
	if (r == 0)
		r = instance_commit(dir, i, !i->auto_remove, e);
	if (r == 0 && unlinkat(dir, START_RESTORING, 0) < 0)
		r = err_sys(e, "restore");
	return r;
}

static int end_it(struct session *s, const struct instance *i, bool force, struct err *e)
{
	if (!instance_alive(store_run_fd(s->store), i->id))
		return 0;
	if (!force)
		return err_set(e, ERR_CONFLICT,
			       "instance '%s' is running: stop it first, or use --force", i->name);
	return remove_end(s, i->id, e);
}

/* The directory of the instance, locked: the one that is there, or a new one. */
static int place(struct session *s, struct instance *i, bool force, struct arena *a, bool *fresh,
		 struct err *e)
{
	int root = store_root_fd(s->store), r;
	auto_fd int dir = instance_lock(root, i->id, NULL);
	struct instance now;

	*fresh = dir < 0;
	if (dir < 0)
		return instance_create(root, i->id, i->name, e);
	r = instance_load(root, i->id, a, &now, e);
	if (r == 0)
		r = end_it(s, &now, force, e);
	if (r < 0)
		return r;
	remove_traces(s, i->id);
	attach_remove(store_run_fd(s->store), i->id, NULL);
	i->name = now.name; /* it may have been renamed since */
	return take_fd(&dir);
}

static int go_on(struct session *s, const struct snapshot *sn, const struct instance *i, int dir,
		 struct arena *a, struct err *e)
{
	struct start_opts o = {0};
	auto_conn struct conn c = CONN_INIT;
	int r;

	if (sn->kind == SNAPSHOT_MACHINE)
		o.resume = arena_printf(a, "%s/snapshots/%s", store_root_path(s->store), sn->name);
	r = start_instance(s, i, dir, &o, &c, e);
	return r < 0 ? r : start_wait(&c, e);
}

/* The label says that the image goes with its last user. */
static void label(const struct snapshot *sn, struct instance *i, struct arena *a)
{
	struct strs l = {0};

	for (size_t k = 0; k < i->labels.n; k++)
		if (!str_after(i->labels.v[k], SNAPSHOT_LABEL "="))
			arena_strs_add(a, &l, i->labels.v[k]);
	if (sn->kind == SNAPSHOT_FILES)
		arena_strs_add(a, &l, arena_printf(a, SNAPSHOT_LABEL "=%s", sn->name));
	i->labels = l;
	i->image_id = sn->image_id;
}

static int restore(struct session *s, const struct snapshot *sn, int from, bool force,
		   struct arena *a, struct instance *i, struct err *e)
{
	struct image *image = NULL;
	auto_fd int dir = -1;
	bool fresh;
	int r = snapshot_verify(from, sn, e);

	if (r == 0)
		r = snapshot_ctl_instance(sn, a, i, e);
	if (r == 0)
		r = image_find_id(s->store, sn->image_id, &image, e);
	image_close(image);
	if (r < 0)
		return r;
	dir = place(s, i, force, a, &fresh, e);
	if (dir < 0)
		return dir;
	label(sn, i, a);
	r = replace(s, sn, from, dir, i, e);
	if (r == 0 && sn->running)
		r = go_on(s, sn, i, dir, a, e);
	if (r < 0 && fresh) {
		attach_remove(store_run_fd(s->store), i->id, NULL);
		instance_run_wait(store_run_fd(s->store), i->id, NULL);
		rootfs_remove(s->store, i->id, NULL);
		instance_remove(store_root_fd(s->store), store_run_fd(s->store), i, NULL);
	}
	return r;
}

int snapshot_ctl_restore(struct session *s, const char *snapshot, bool force, struct arena *a,
			 const char **name, struct err *e)
{
	struct instance i = {0};
	struct snapshot sn;
	struct store *store;
	auto_fd int from = -1;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	from = snapshot_open(store, snapshot, a, &sn, e);
	if (from < 0)
		return from;
	r = restore(s, &sn, from, force, a, &i, e);
	if (r < 0)
		return err_wrap(e, r, "restore '%.100s'", snapshot);
	eventlog_instance(store, &i, "restore", "snapshot", sn.name);
	*name = i.name;
	return 0;
}

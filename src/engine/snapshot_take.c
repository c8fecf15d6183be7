/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files become an image (commit), which the store keeps, checks and collects as any other.  The
 * disk of a VM that does not run is copied.  Of one that runs the monitor writes disk, memory and
 * the VMM's state, of one moment.
 */
#include "engine/snapshot_take.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/commit.h"
#include "engine/conn.h"
#include "engine/eventlog.h"
#include "engine/image_ctl.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/session.h"
#include "spec/control.h"
#include "spec/plan.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/snapshot.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/file.h"
#include "sys/sparse.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SAVE_MS	   120000 /* a loaded host, much memory */
#define TAGS_MAX   65536
#define RECORD_MAX (4u << 20)

const char *const snapshot_take_memory[] = {"auto", "on", "off", NULL};

struct taking {
	struct session *s;
	const struct lookup *l;
	struct request q;
	struct arena *a;
	struct snapshot *out;
	int dir;	  /* where the parts go */
	const char *path; /* the same, absolute */
};

/* The memory is somebody else's, too, or of huge pages. */
static bool shares(const struct taking *t)
{
	const struct instance *i = &t->l->i;

	if (t->q.vm_hugepages)
		return true;
	for (size_t k = 0; k < i->mounts.n; k++)
		if (!streq(i->mounts.v[k].type, "tmpfs"))
			return true;
	return false;
}

/* Which kind it becomes. */
static int choose(const struct taking *t, int memory, struct err *e)
{
	const struct instance *i = &t->l->i;
	int status = t->l->state.status;

	if (i->isolation != PLAN_VM) {
		if (memory == SNAPSHOT_MEMORY_ON)
			return err_set(
			    e, ERR_UNSUPPORTED,
			    "the memory of container '%s' is not saved: that takes CRIU, "
			    "which snapshots do not use; --memory=off saves its files, "
			    "--isolation=vm instances have memory to save",
			    i->name);
		return SNAPSHOT_FILES;
	}
	if (t->q.machine)
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s' runs in another instance's machine: take that one", i->name);
	if (status == INSTANCE_PAUSED)
		return err_set(e, ERR_CONFLICT, "instance '%s' is paused: unpause it first",
			       i->name);
	if (status != INSTANCE_RUNNING)
		return memory == SNAPSHOT_MEMORY_ON
			   ? err_set(e, ERR_CONFLICT,
				     "instance '%s' does not run: it has no memory to save",
				     i->name)
			   : SNAPSHOT_DISK;
	if (memory == SNAPSHOT_MEMORY_ON && shares(t))
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "'%s' has directories of the host (-v, --mount), whose server its "
		    "memory belongs to, too, or huge pages, and cannot be saved with its "
		    "memory; --memory=off saves its files",
		    i->name);
	return memory == SNAPSHOT_MEMORY_OFF || shares(t) ? SNAPSHOT_FILES : SNAPSHOT_MACHINE;
}

/* ---- files ---- */

static int mark(struct oci_config *c, struct arena *a, void *arg, struct err *e)
{
	struct jbind_map *old = &c->config.labels;
	struct jbind_pair *v = arena_array(a, old->n + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < old->n; i++)
		if (!streq(old->v[i].key, SNAPSHOT_LABEL))
			v[n++] = old->v[i];
	v[n++] = (struct jbind_pair){SNAPSHOT_LABEL, arg};
	*old = (struct jbind_map){v, n};
	return 0;
}

static int take_files(struct taking *t, struct err *e)
{
	union {
		const char *in;
		void *out;
	} u = {.in = t->l->i.name};
	struct commit_opts o = {
	    .instance = t->l->i.id, .codec = "zstd", .pause = true, .change = mark, .arg = u.out};

	/* It cannot have changed. */
	if (t->q.read_only)
		return 0;
	return commit_run(t->s, &o, t->a, &t->out->image_id, e);
}

void snapshot_take_drop(struct session *s, const char *image_id)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_ctl_removed removed;
	struct image *image = NULL;
	struct store *store;
	bool ours;

	if (session_store(s, &store, NULL) < 0 || image_find_id(store, image_id, &image, NULL) < 0)
		return;
	ours = jbind_lookup(&image->config.config.labels, SNAPSHOT_LABEL) &&
	       image_names(store, image)->n == 0;
	image_close(image);
	/* Refused while somebody needs it. */
	if (ours)
		image_ctl_remove(s, image_id, false, &a, &removed, NULL);
}

/* ---- machines ---- */

static int take_disk(struct taking *t, struct err *e)
{
	const char *path = arena_printf(t->a, "instances/%s/disk.ext4", t->l->i.id);
	auto_fd int from = openat(store_root_fd(t->s->store), path, O_RDONLY | O_CLOEXEC);
	auto_fd int to = -1;

	if (from < 0) /* never started, or read-only */
		return errno == ENOENT ? 0 : err_sys(e, "disk of the instance");
	to = openat(t->dir, "disk", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(e, "snapshot: disk");
	errno = -sparse_copy(from, to);
	return errno ? err_sys(e, "snapshot: disk") : 0;
}

static int take_machine(struct taking *t, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(65536);
	struct control_snapshot c = {.dir = t->path};
	struct control_snapshot_done done = {0};
	struct conn_question q = {.type = WIRE_SNAPSHOT, .timeout_ms = SAVE_MS};
	auto_free char *tags = NULL;
	const char *text;
	ssize_t n;
	int r;

	jbind_write(&control_snapshot_table, &c, &b);
	r = buf_fail(&b, "snapshot", e);
	q.json = b.p;
	if (r == 0)
		r = conn_ask(t->s, t->l->i.id, &q, t->a, &text, e);
	if (r == 0)
		r = jbind_parse(&control_snapshot_done_table, text, strlen(text), &done, t->a,
				"answer of the monitor", e);
	if (r < 0)
		return r;
	n = file_read(t->dir, "machine.json", TAGS_MAX, &tags);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "snapshot: machine.json");
	}
	t->out->machine = arena_dupn(t->a, tags, (size_t)n);
	t->out->pause_ns = done.pause_ns;
	return 0;
}

/* ---- all of it ---- */

static int describe(struct taking *t, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	jbind_write(&instance_table, &t->l->i, &b);
	*t->out = (struct snapshot){
	    .created_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
	    .image_id = t->l->i.image_id,
	    .running = t->l->state.status == INSTANCE_RUNNING,
	    .instance = arena_dupn(t->a, b.p, b.len),
	};
	return buf_fail(&b, "record of the instance", e);
}

static int take(struct taking *t, int memory, struct err *e)
{
	int r = describe(t, e);

	if (r < 0)
		return r;
	r = choose(t, memory, e);
	if (r < 0)
		return r;
	t->out->kind = r;
	if (t->out->kind == SNAPSHOT_FILES)
		return take_files(t, e);
	return t->out->kind == SNAPSHOT_DISK ? take_disk(t, e) : take_machine(t, e);
}

int snapshot_take_run(struct session *s, const struct lookup *l, int memory, struct stage *stage,
		      struct arena *a, struct snapshot *out, struct err *e)
{
	struct taking t = {.s = s, .l = l, .a = a, .out = out};
	auto_fd int lock = -1, dir = -1;
	int r = session_store(s, &t.s->store, e);

	if (r >= 0)
		r = jbind_parse(&request_table, l->i.request, strlen(l->i.request), &t.q, a,
				"request", e);
	if (r < 0)
		return r;
	if (l->i.pod)
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s' is in a pod, or is one: it cannot be without its others",
			       l->i.name);
	/* Nobody starts, removes or saves it meanwhile. */
	lock = instance_lock(store_root_fd(s->store), l->i.id, e);
	if (lock < 0)
		return lock;
	if (mkdirat(stage_fd(stage), SNAPSHOT_TAKE_DIR, 0700) < 0)
		return err_sys(e, "snapshot");
	t.dir = dir =
	    openat(stage_fd(stage), SNAPSHOT_TAKE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "snapshot");
	t.path = arena_printf(a, "%s/%s/" SNAPSHOT_TAKE_DIR, store_root_path(s->store),
			      stage_path(stage));
	return take(&t, memory, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/instance_root.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/usernsmode.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/rootdriver.h"
#include "store/rootfs.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/overlay.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file of the instance's process in /proc.  The pid is still its own when the process behind the
 * pidfd has not ended after the file was opened. */
static int of_process(const struct lookup *l, const char *what, int flags, struct err *e)
{
	auto_fd int pidfd =
	    l->state.pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)l->state.pid, 0) : -1;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	auto_fd int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%lld/%s", (long long)l->state.pid, what);
	if (pidfd >= 0)
		fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 || poll(&p, 1, 0) != 0)
		return err_set(e, ERR_CONFLICT, "instance '%s' ends", l->i.name);
	return take_fd(&fd);
}

int instance_root_stack(struct session *s, const struct lookup *l, struct arena *a,
			struct plan_rootfs *out, struct err *e)
{
	struct request *q = arena_alloc(a, sizeof(*q));
	struct image *image = NULL;
	struct rootdriver_root want = {.id = l->i.id};
	const char *rw, *fuse = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = jbind_parse(&request_table, l->i.request, strlen(l->i.request), q, a, "request",
				e);
	want.readonly = q->read_only;
	want.shifted = usernsmode_shifts(q->userns_mode);
	if (r >= 0)
		r = rootdriver_use(store, &want, a, &fuse, e);
	if (r >= 0)
		r = image_find_id(store, l->i.image_id, &image, e);
	if (r < 0)
		return r;
	/* Those that are there are not touched: the instance may run on them. */
	rw = arena_printf(a, "%s/instances/%s/rw", store_root_path(store), l->i.id);
	if (q->read_only || access(arena_printf(a, "%s/upper", rw), F_OK) < 0) {
		r = rootfs_prepare(store, image, l->i.id, PLAN_CONTAINER, q->read_only, a, out, e);
	} else {
		r = rootfs_prepare(store, image, l->i.id, PLAN_CONTAINER, true, a, out, e);
		out->upper = arena_printf(a, "%s/upper", rw);
		out->work = arena_printf(a, "%s/work", rw);
	}
	out->fuse = fuse;
	image_close(image);
	return r;
}

static void place(struct arena *a, struct strs *out, const char *path)
{
	char *copy;

	while (*path == '/')
		path++;
	copy = arena_dup(a, path);
	while (*copy) {
		char *slash = strrchr(copy, '/');

		arena_strs_add(a, out, arena_dup(a, copy));
		if (!slash)
			break;
		*slash = '\0';
	}
}

void instance_root_places(const struct lookup *l, struct arena *a, struct strs *out)
{
	static const char *const ours[] = {"dev",	"proc",	       "sys", "etc/resolv.conf",
					   "etc/hosts", "etc/hostname"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		place(a, out, ours[i]);
	for (size_t i = 0; i < l->i.mounts.n; i++)
		place(a, out, l->i.mounts.v[i].destination);
}

int instance_root_vm(const struct lookup *l, struct err *e)
{
	if (l->i.isolation != PLAN_VM)
		return 0;
	if (l->state.status == INSTANCE_RUNNING)
		return 1;
	return err_set(e, ERR_UNSUPPORTED,
		       "'%s' is a VM, whose files only its own kernel may read: it must run",
		       l->i.name);
}

/* With the ids that are on disk: those that it has inside. */
static int by_fuse(const struct plan_rootfs *fs, struct arena *a, struct instance_root *out,
		   struct err *e)
{
	struct overlay_spec dirs = {.lower = &fs->lower, .upper = fs->upper, .work = fs->work};
	struct fuseoverlay_opts o = {.program = fs->fuse, .mount_ns = fs->layer_ns, .dirs = &dirs};
	int r = fuseoverlay_start(&o, &out->served, e);

	if (r < 0)
		return r;
	out->fd = out->served.root;
	out->served.root = -1;
	arena_strs_add(a, &out->args, arena_printf(a, "--root=%d", INSTANCE_ROOT_FD));
	return 0;
}

static int stopped(struct session *s, const struct lookup *l, struct arena *a,
		   struct instance_root *out, struct err *e)
{
	struct plan_rootfs fs = {0};
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = out->lock = instance_lock(store_root_fd(store), l->i.id, e);
	/* Started while we waited for the lock? */
	if (r >= 0 && instance_alive(store_run_fd(store), l->i.id))
		r = err_set(e, ERR_CONFLICT, "instance '%s' was started meanwhile", l->i.name);
	if (r >= 0)
		r = instance_root_stack(s, l, a, &fs, e);
	if (r < 0)
		return r;
	if (fs.fuse)
		return by_fuse(&fs, a, out, e);
	if (fs.layer_ns)
		arena_strs_add(a, &out->args, arena_printf(a, "--layer-ns=%s", fs.layer_ns));
	for (size_t i = 0; i < fs.lower.n; i++)
		arena_strs_add(a, &out->args, arena_printf(a, "--lower=%s", fs.lower.v[i]));
	if (fs.upper) {
		arena_strs_add(a, &out->args, arena_printf(a, "--upper=%s", fs.upper));
		arena_strs_add(a, &out->args, arena_printf(a, "--work=%s", fs.work));
	}
	if (fs.userns_options)
		arena_strs_add(a, &out->args, arena_printf(a, "--option=%s", fs.userns_options));
	return 0;
}

int instance_root_open(struct session *s, const struct lookup *l, bool bare, struct arena *a,
		       struct instance_root *out, struct err *e)
{
	bool runs = l->state.status == INSTANCE_RUNNING || l->state.status == INSTANCE_PAUSED;
	struct instance_root r = INSTANCE_ROOT_INIT;
	int n = 0;

	if (!runs) {
		n = stopped(s, l, a, &r, e);
	} else if (bare) {
		n = r.fd = of_process(l, "ns/mnt", O_RDONLY, e);
		arena_strs_add(a, &r.args, "--bare=6");
	} else {
		n = r.fd = of_process(l, "root", O_PATH | O_DIRECTORY, e);
		arena_strs_add(a, &r.args, "--root=6");
	}
	if (n < 0) {
		instance_root_close(&r);
		return n;
	}
	*out = r;
	return 0;
}

void instance_root_close(struct instance_root *r)
{
	fd_close(r->fd);
	fd_close(r->lock);
	fuseoverlay_stop(&r->served);
	r->fd = r->lock = -1;
}

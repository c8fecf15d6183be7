/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rootfs.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "store/image.h"
#include "store/pin.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "store/unpacker.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/sparse.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- the form ---- */

/* Make the smallest layer there is (two empty blocks are the end of a tar) and mount it. */
static int try_erofs(struct store *s, struct err *e)
{
	static const char end[1024];
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int in = fd_sealed("empty-layer", end, sizeof(end));
	auto_fd int out = memfd_create("layer", MFD_CLOEXEC);
	const char *path = store_helper(s, "caisson-unpack", &a);
	static const char *const argv[] = {"caisson-unpack", "--in=3", "--out=4", NULL};
	struct child_fd fds[] = {{in, 3}, {out, 4}, {-1, 2}};
	struct child_opts o = {.path = path, .argv = argv, .fds = fds, .nfds = 3};
	int status = 0;
	pid_t pid;

	if (!path || in < 0 || out < 0)
		return err_set(e, ERR_UNSUPPORTED, "cannot make an EROFS image to try");
	pid = child_start(&o);
	if (pid < 0 || child_wait(pid, &status) < 0 || status)
		return err_set(e, ERR_UNSUPPORTED, "cannot make an EROFS image to try");
	return pin_try(out, e);
}

int rootfs_form(struct store *s, enum layer_form *out, struct err *e)
{
	auto_free char *have = NULL;
	const char *text;
	int r;

	if (s->run_fd < 0) {
		*out = LAYER_EROFS;
		return 0;
	}
	if (file_read(s->run_fd, "layer-form", 64, &have) > 0) {
		*out = streq(have, "dir\n") ? LAYER_DIR : LAYER_EROFS;
		return 0;
	}
	r = try_erofs(s, NULL);
	text = r < 0 ? "dir\n" : "erofs\n";
	errno = -file_replace(s->run_fd, "layer-form", text, strlen(text), 0600, FILE_LAZY);
	if (errno)
		return err_sys(e, "'%s/layer-form'", s->run);
	*out = r < 0 ? LAYER_DIR : LAYER_EROFS;
	return 0;
}

/* ---- layers ---- */

struct layers {
	struct layer v[OCI_LAYERS_MAX];
	size_t n;
};

/* Bottom first.  Of a layer that comes twice only the upper one counts: all that the lower brings,
 * or takes away, the upper does again; and overlayfs takes no directory twice. */
static int need_all(struct store *s, const struct image *i, enum layer_form form, struct arena *a,
		    struct layers *out, struct err *e)
{
	const struct image_record *rec = &i->record;

	for (size_t k = 0; k < rec->layers.n && k < OCI_LAYERS_MAX; k++) {
		const char *blob = k < rec->blobs.n ? rec->blobs.v[k] : NULL;
		bool again = false;
		int r;

		for (size_t j = k + 1; j < rec->layers.n; j++)
			again |= streq(rec->layers.v[j], rec->layers.v[k]);
		if (again)
			continue;
		r = unpacker_need(s, rec->layers.v[k], blob, form, a, &out->v[out->n], e);
		if (r < 0)
			return r;
		out->n++;
	}
	if (!out->n)
		return err_set(e, ERR_UNSUPPORTED, "the image has no layers");
	return 0;
}

static int make_dirs(struct store *s, const char *names[], struct err *e)
{
	for (; *names; names++)
		if (mkdirat(s->root_fd, *names, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make '%s/%s'", s->root, *names);
	return 0;
}

static int make_upper(struct store *s, const char *id, struct arena *a, struct plan_rootfs *out,
		      struct err *e)
{
	const char *upper = arena_printf(a, "instances/%s/rw/upper", id);
	const char *work = arena_printf(a, "instances/%s/rw/work", id);
	const char *dirs[] = {arena_printf(a, "instances/%s", id),
			      arena_printf(a, "instances/%s/rw", id), upper, work, NULL};
	int r = make_dirs(s, dirs, e);

	if (r < 0)
		return r;
	/* The merged root shows the mode of the uppermost directory. */
	if (fchmodat(s->root_fd, upper, 0755, 0) < 0)
		return err_sys(e, "'%s/%s'", s->root, upper);
	out->upper = arena_printf(a, "%s/%s", s->root, upper);
	out->work = arena_printf(a, "%s/%s", s->root, work);
	return 0;
}

static int container(struct store *s, const struct image *i, struct arena *a,
		     struct plan_rootfs *out, struct err *e)
{
	struct layers l = {.n = 0};
	enum layer_form form = LAYER_EROFS;
	int r = rootfs_form(s, &form, e);

	if (r >= 0)
		r = need_all(s, i, form, a, &l, e);
	if (r >= 0 && form == LAYER_EROFS) {
		r = pin_mount(s, l.v, l.n, e);
		out->layer_ns = arena_printf(a, "%s/ns/mnt", s->run);
	}
	if (form == LAYER_DIR && userns_inside())
		out->userns_options = "userxattr";
	for (size_t k = l.n; r >= 0 && k-- > 0;)
		arena_strs_add(a, &out->lower,
			       form == LAYER_EROFS ? arena_printf(a, "%s/layers/%s", s->run,
								  digest_hex(l.v[k].diff_id))
						   : layer_path(s, &l.v[k], a));
	return r;
}

/* ---- VM ---- */

static const char *find_program(const char *name, struct arena *a)
{
	static const char *const where[] = {"/usr/sbin", "/sbin", "/usr/bin", "/bin"};

	for (size_t i = 0; i < sizeof(where) / sizeof(*where); i++) {
		const char *p = arena_printf(a, "%s/%s", where[i], name);

		if (access(p, X_OK) == 0)
			return p;
	}
	return NULL;
}

/* The empty file system is made once; everything lazy, because the guest finishes it when it needs
 * to.  No journal: a crashed guest's writable layer is worth no more than its instance. */
static int make_template(struct store *s, const char *name, uint64_t bytes, struct arena *a,
			 struct err *e)
{
	const char *program = find_program("mke2fs", a), *tmp, *path;
	const char *argv[] = {"mke2fs",
			      "-q",
			      "-F",
			      "-t",
			      "ext4",
			      "-m",
			      "0",
			      "-L",
			      "caisson-rw",
			      "-E",
			      "lazy_itable_init=1,nodiscard",
			      "-O",
			      "^has_journal",
			      NULL,
			      NULL};
	struct child_fd null[] = {{-1, 2}};
	struct child_opts o = {.path = program, .argv = argv, .fds = null, .nfds = 1};
	auto_fd int fd = -1;
	struct stage *st = NULL;
	int status = 0, r;
	pid_t pid;

	if (!program)
		return err_set(e, ERR_UNSUPPORTED,
			       "mke2fs (package e2fsprogs) is needed for a VM's writable disk");
	r = stage_new(s, &st, e);
	if (r < 0)
		return r;
	tmp = arena_printf(a, "%s/%s", stage_path(st), name);
	path = arena_printf(a, "%s/%s", s->root, tmp);
	argv[13] = path;
	fd = openat(s->root_fd, tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0) {
		r = err_sys(e, "'%s'", path);
	} else {
		pid = child_start(&o);
		if (pid < 0 || child_wait(pid, &status) < 0 || status ||
		    renameat(s->root_fd, tmp, s->root_fd, arena_printf(a, "cache/%s", name)) < 0)
			r = err_set(e, ERR_SYSTEM, "mke2fs could not make a disk in '%s'", s->root);
	}
	stage_free(st);
	return r;
}

static int make_disk(struct store *s, const char *id, uint64_t bytes, struct arena *a,
		     struct plan_rootfs *out, struct err *e)
{
	const char *name = arena_printf(a, "rw-%llu.ext4", (unsigned long long)bytes);
	const char *disk = arena_printf(a, "instances/%s/disk.ext4", id);
	const char *dirs[] = {arena_printf(a, "instances/%s", id), NULL};
	auto_fd int from =
	    openat(s->root_fd, arena_printf(a, "cache/%s", name), O_RDONLY | O_CLOEXEC);
	auto_fd int to = -1;
	struct stat st;
	int r;

	if (fstatat(s->root_fd, disk, &st, 0) == 0) {
		out->disk_rw = arena_printf(a, "%s/%s", s->root, disk);
		return 0; /* a stopped VM starts again on what it wrote */
	}
	if (from < 0) {
		r = make_template(s, name, bytes, a, e);
		if (r < 0)
			return r;
		from = openat(s->root_fd, arena_printf(a, "cache/%s", name), O_RDONLY | O_CLOEXEC);
	}
	r = make_dirs(s, dirs, e);
	if (r < 0)
		return r;
	to = openat(s->root_fd, disk, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (from < 0 || to < 0)
		return err_sys(e, "'%s/%s'", s->root, disk);
	r = sparse_copy(from, to);
	/* Sizes of people's own are not kept: there would be one for each. */
	if (bytes != ROOTFS_DISK_BYTES)
		unlinkat(s->root_fd, arena_printf(a, "cache/%s", name), 0);
	if (r < 0) {
		unlinkat(s->root_fd, disk, 0);
		errno = -r;
		return err_sys(e, "'%s/%s'", s->root, disk);
	}
	out->disk_rw = arena_printf(a, "%s/%s", s->root, disk);
	return 0;
}

static int vm(struct store *s, const struct image *i, struct arena *a, struct plan_rootfs *out,
	      struct err *e)
{
	struct layers l = {.n = 0};
	struct strs files = {0};
	const char *meta;
	int r = need_all(s, i, LAYER_EROFS, a, &l, e);

	if (r < 0)
		return r;
	for (size_t k = 0; k < l.n; k++)
		arena_strs_add(a, &files, layer_path(s, &l.v[k], a));
	r = unpacker_meta(s, i->record.chain, &files, a, &meta, e);
	if (r < 0)
		return r;
	arena_strs_add(a, &out->disk, meta);
	for (size_t k = 0; k < files.n; k++)
		arena_strs_add(a, &out->disk, files.v[k]);
	return 0;
}

int rootfs_prepare(struct store *s, const struct image *i, const char *instance_id, int isolation,
		   bool readonly, struct arena *a, struct plan_rootfs *out, struct err *e)
{
	return rootfs_prepare_sized(s, i, instance_id, isolation, readonly, ROOTFS_DISK_BYTES, a,
				    out, e);
}

int rootfs_prepare_sized(struct store *s, const struct image *i, const char *instance_id,
			 int isolation, bool readonly, uint64_t disk_bytes, struct arena *a,
			 struct plan_rootfs *out, struct err *e)
{
	struct plan_rootfs fs = {0};
	int r;

	if (isolation == PLAN_VM) {
		r = vm(s, i, a, &fs, e);
		if (r >= 0 && !readonly)
			r = make_disk(s, instance_id, disk_bytes, a, &fs, e);
	} else {
		r = container(s, i, a, &fs, e);
		if (r >= 0 && !readonly)
			r = make_upper(s, instance_id, a, &fs, e);
	}
	if (r < 0)
		return err_wrap(e, r, "root of instance %.12s", instance_id);
	*out = fs;
	return 0;
}

int rootfs_remove(struct store *s, const char *instance_id, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *name = arena_printf(&a, "instances/%s", instance_id);
	auto_fd int dir = openat(s->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, "'%s/%s'", s->root, name);
	r = path_remove(dir, "rw");
	if (r >= 0)
		r = path_remove(dir, "disk.ext4");
	errno = -r;
	return r < 0 ? err_sys(e, "'%s/%s'", s->root, name) : 0;
}

void rootfs_forget(struct store *s, const char *diff_id)
{
	pin_forget(s, diff_id);
}

int rootfs_unpin(struct store *s, struct err *e)
{
	return s->run_fd < 0 ? 0 : pin_release(s, e);
}

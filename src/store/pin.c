/* SPDX-License-Identifier: Apache-2.0 */
#include "store/pin.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/wire.h"
#include "store/layer.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define NSFS_MAGIC 0x6e736673
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif

/* ---- mounting one file ---- */

static int loop_device(int file, struct err *e)
{
	auto_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config c = {.fd = (uint32_t)file,
				.block_size = 4096,
				.info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR}};

	if (control < 0)
		return err_sys(e, "/dev/loop-control");
	for (int tries = 0; tries < 64; tries++) {
		char name[32];
		int n = ioctl(control, LOOP_CTL_GET_FREE), dev;

		if (n < 0)
			return err_sys(e, "no free loop device");
		snprintf(name, sizeof(name), "/dev/loop%d", n);
		dev = open(name, O_RDONLY | O_CLOEXEC);
		if (dev < 0)
			return err_sys(e, "%s", name);
		if (ioctl(dev, LOOP_CONFIGURE, &c) == 0)
			return dev;
		close(dev);
		/* Somebody else was quicker with this one. */
		if (errno != EBUSY)
			return err_sys(e, "%s", name);
	}
	return err_set(e, ERR_CONFLICT, "no free loop device");
}

static int mount_erofs(int file, const char *target, struct err *e)
{
	const unsigned long flags = MS_RDONLY | MS_NODEV | MS_NOSUID;
	auto_fd int dev = -1;
	char path[PATH_FD_MAX];

	/* The file itself: Linux 6.12 and later. */
	if (mount(path_of_fd(file, path), target, "erofs", flags, NULL) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES || errno == ENODEV)
		return err_sys(e, "cannot mount EROFS");
	dev = loop_device(file, e);
	if (dev < 0)
		return dev;
	if (mount(path_of_fd(dev, path), target, "erofs", flags, NULL) < 0)
		return err_sys(e, "cannot mount EROFS");
	return 0;
}

/* ---- children that change their mount namespace ---- */

struct work {
	struct store *s;
	const struct layer *layers;
	const int *files; /* of the layers; -1: mounted already */
	unsigned long n;
	int ns;	  /* the pinned namespace, or -1 */
	int tree; /* detached clone of the root's mount, or -1 */
	int ready, go;
};

/* Run fn in a forked child; it reports by *e.  Memory is a copy, descriptors are shared. */
static int in_child(int (*fn)(struct work *w, struct err *e), struct work *w, struct err *e)
{
	struct err why = ERR_INIT;
	struct wire_frame f = {.data = (unsigned char *)&why};
	int p[2], status = 0, r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0) {
		r = fn(w, &why);
		if (r < 0)
			r = fd_write_all(p[1], &why, sizeof(why));
		_exit(why.kind != ERR_NONE);
	}
	r = pid < 0 ? err_sys(e, "fork") : 0;
	close(p[1]);
	f.len = r < 0 ? 0 : (size_t)fd_read_full(p[0], &why, sizeof(why));
	close(p[0]);
	if (r < 0)
		return r;
	child_wait(pid, &status);
	if (f.len == sizeof(why))
		return wire_err(&f, e);
	return status ? err_set(e, ERR_SYSTEM, "the mounting process died") : 0;
}

static int private_try(struct work *w, struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "cannot make mounts private");
	return mount_erofs(w->files[0], "/", e);
}

int pin_try(int fd, struct err *e)
{
	struct work w = {.files = &fd, .n = 1};

	return in_child(private_try, &w, e);
}

/* Under the same path there must be the same directory; after a mount that the namespace did not
 * see (the host's mounts were not shared) a clone of it is put in place. */
static int show_root(struct work *w, struct err *e)
{
	struct stat want, have;

	if (fstat(w->s->root_fd, &want) < 0)
		return err_sys(e, "'%s'", w->s->root);
	if (stat(w->s->root, &have) == 0 && have.st_dev == want.st_dev &&
	    have.st_ino == want.st_ino)
		return 0;
	if (w->tree < 0)
		return err_set(e, ERR_UNSUPPORTED, "'%s' is not visible in the layers' namespace",
			       w->s->root);
	if (mkdir(w->s->root, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "'%s' in the layers' namespace", w->s->root);
	if (syscall(SYS_move_mount, w->tree, "", AT_FDCWD, w->s->root, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "'%s' in the layers' namespace", w->s->root);
	return 0;
}

static int mount_all(struct work *w, struct err *e)
{
	int r;

	if (setns(w->ns, CLONE_NEWNS) < 0)
		return err_sys(e, "cannot enter the layers' namespace");
	r = show_root(w, e);
	for (unsigned long i = 0; r >= 0 && i < w->n; i++) {
		auto_arena struct arena a = ARENA_INIT;
		const char *at;

		if (w->files[i] < 0)
			continue;
		at = arena_printf(&a, "%s/layers/%s", w->s->run, digest_hex(w->layers[i].diff_id));
		/* What a killed command mounted without a mark. */
		umount2(at, MNT_DETACH);
		r = mount_erofs(w->files[i], at, e);
		if (r < 0)
			err_wrap(e, r, "layer %.19s", w->layers[i].diff_id);
	}
	return r;
}

static int unmount_one(struct work *w, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;

	if (setns(w->ns, CLONE_NEWNS) < 0)
		return err_sys(e, "cannot enter the layers' namespace");
	umount2(arena_printf(&a, "%s/layers/%s", w->s->run, digest_hex(w->layers->diff_id)),
		MNT_DETACH);
	return 0;
}

/* ---- the pinned namespace ---- */

static int open_ns(struct store *s)
{
	int fd = openat(s->run_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == NSFS_MAGIC)
		return fd;
	close(fd);
	return -ENOENT;
}

static bool is_mount(const char *path)
{
	struct statx sx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &sx) == 0 &&
	       sx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int private_dir(const char *path, struct err *e)
{
	if (!is_mount(path) && mount(path, path, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "cannot mount '%s'", path);
	if (mount(NULL, path, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, "cannot make '%s' private", path);
	return 0;
}

/* The child that is the new namespace's first member lives until its parent has bound it. */
static void hold(int ready, int go, int cpu)
{
	cpu_set_t set;
	char c = 0;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	if (cpu >= 0 && sched_setaffinity(0, sizeof(set), &set) < 0)
		_exit(1);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		_exit(1);
	if (write(ready, &c, 1) == 1 && read(go, &c, 1) >= 0)
		_exit(0);
	_exit(1);
}

static int bind_child(const char *at, int cpu, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	int ready[2], go[2], r = 0;
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	if (pipe2(go, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return err_sys(e, "pipe");
	}
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		hold(ready[1], go[0], cpu);
	}
	close(ready[1]);
	if (pid < 0 || fd_read_full(ready[0], &c, 1) != 1)
		r = err_set(e, ERR_UNSUPPORTED, "cannot make a mount namespace");
	else if (mount(arena_printf(&a, "/proc/%d/ns/mnt", (int)pid), at, NULL, MS_BIND, NULL) < 0)
		r = err_sys(e, "cannot pin a mount namespace at '%s'", at);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
	if (pid > 0)
		child_wait(pid, NULL);
	return r;
}

/* A mount namespace may be bound only in an older one, and the kernel tells age by a number.  Linux
 * 6.18 draws these from batches per CPU, so that a new namespace may have the smaller number and
 * the bind fails with EINVAL (seen in a third of all tries).  On the CPU where ours was made it
 * cannot. */
static int bind_any(const char *at, struct err *e)
{
	struct err why = ERR_INIT;
	cpu_set_t allowed;
	int r = bind_child(at, -1, &why);

	if (r == -EINVAL && sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		for (int cpu = 0; cpu < CPU_SETSIZE && r == -EINVAL; cpu++)
			if (CPU_ISSET(cpu, &allowed))
				r = bind_child(at, cpu, &why);
	if (r < 0 && e)
		*e = why;
	return r;
}

/* A number may be used again by the kernel, so marks of a namespace that is gone go with it. */
static void drop_marks(struct store *s)
{
	int fd = openat(s->run_fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (strstr(de->d_name, ".mnt"))
			unlinkat(fd, de->d_name, 0);
	if (d)
		closedir(d);
}

static int make_ns(struct store *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *dir = arena_printf(&a, "%s/ns", s->run);
	int fd, r;

	drop_marks(s);
	r = private_dir(dir, e);
	if (r < 0)
		return r;
	fd = openat(s->run_fd, "ns/mnt", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "'%s/mnt'", dir);
	close(fd);
	r = bind_any(arena_printf(&a, "%s/mnt", dir), e);
	if (r < 0)
		return r;
	fd = open_ns(s);
	return fd < 0 ? err_set(e, ERR_SYSTEM, "'%s/mnt' is not a namespace", dir) : fd;
}

/* ---- marks ---- */

static const char *layer_mark(const char *diff_id, struct arena *a)
{
	return arena_printf(a, "layers/%s.mnt", digest_hex(diff_id));
}

static const char *root_mark(struct store *s, struct arena *a)
{
	struct stat st = {0};

	fstat(s->root_fd, &st);
	return arena_printf(a, "layers/root-%llx-%llx.mnt", (unsigned long long)st.st_dev,
			    (unsigned long long)st.st_ino);
}

static bool marked(struct store *s, const char *mark, const char *number)
{
	auto_free char *have = NULL;

	return file_read(s->run_fd, mark, 64, &have) > 0 && streq(have, number);
}

static int set_mark(struct store *s, const char *mark, const char *number, struct err *e)
{
	auto_fd int fd = openat(s->run_fd, mark, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, number, strlen(number)) != (ssize_t)strlen(number))
		return err_sys(e, "'%s/%s'", s->run, mark);
	return 0;
}

static void print_number(int ns, char out[32])
{
	struct stat st = {0};

	fstat(ns, &st);
	snprintf(out, 32, "%llu", (unsigned long long)st.st_ino);
}

static bool all_marked(struct store *s, const struct layer *layers, unsigned long n)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int ns = open_ns(s);
	char number[32];
	bool yes;

	if (ns < 0)
		return false;
	print_number(ns, number);
	yes = marked(s, root_mark(s, &a), number);
	for (unsigned long i = 0; yes && i < n; i++)
		yes = marked(s, layer_mark(layers[i].diff_id, &a), number);
	return yes;
}

/* ---- the whole ---- */

static int open_missing(struct work *w, int *files, const char *number, struct err *e)
{
	for (unsigned long i = 0; i < w->n; i++) {
		auto_arena struct arena a = ARENA_INIT;
		const char *at = arena_printf(&a, "layers/%s", digest_hex(w->layers[i].diff_id));

		files[i] = -1;
		if (marked(w->s, layer_mark(w->layers[i].diff_id, &a), number))
			continue;
		if (mkdirat(w->s->run_fd, at, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "'%s/%s'", w->s->run, at);
		files[i] =
		    openat(w->s->root_fd, layer_name(&w->layers[i], &a), O_RDONLY | O_CLOEXEC);
		if (files[i] < 0)
			return err_sys(e, "layer %.19s", w->layers[i].diff_id);
	}
	return 0;
}

static int mount_missing(struct work *w, struct arena *a, struct err *e)
{
	int *files = arena_array(a, w->n, sizeof(*files));
	char number[32];
	int r;

	for (unsigned long i = 0; i < w->n; i++)
		files[i] = -1;
	print_number(w->ns, number);
	w->files = files;
	r = open_missing(w, files, number, e);
	if (r >= 0)
		r = in_child(mount_all, w, e);
	if (r >= 0)
		r = set_mark(w->s, root_mark(w->s, a), number, e);
	for (unsigned long i = 0; i < w->n; i++) {
		if (r >= 0 && files[i] >= 0)
			r = set_mark(w->s, layer_mark(w->layers[i].diff_id, a), number, e);
		fd_close(files[i]);
	}
	return r;
}

static int lock(struct store *s, struct err *e)
{
	auto_fd int fd = openat(s->run_fd, "layers/lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, "'%s/layers/lock'", s->run);
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "'%s/layers/lock'", s->run) : take_fd(&fd);
}

int pin_mount(struct store *s, const struct layer *layers, unsigned long n, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int held = -1;
	auto_fd int ns = -1;
	auto_fd int tree = -1;
	struct work w = {.s = s, .layers = layers, .n = n};

	if (all_marked(s, layers, n))
		return 0;
	held = lock(s, e);
	if (held < 0)
		return held;
	ns = open_ns(s);
	if (ns < 0)
		ns = make_ns(s, e);
	if (ns < 0)
		return ns;
	tree = (int)syscall(SYS_open_tree, s->root_fd, "",
			    AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC);
	w.ns = ns;
	w.tree = tree;
	return mount_missing(&w, &a, e);
}

void pin_forget(struct store *s, const char *diff_id)
{
	auto_arena struct arena a = ARENA_INIT;
	struct layer l = {.diff_id = diff_id};
	auto_fd int held = -1;
	auto_fd int ns = -1;
	struct work w = {.s = s, .layers = &l, .n = 1};
	struct stat st;

	if (s->run_fd < 0 || fstatat(s->run_fd, layer_mark(diff_id, &a), &st, 0) < 0)
		return;
	held = lock(s, NULL);
	w.ns = ns = open_ns(s);
	unlinkat(s->run_fd, layer_mark(diff_id, &a), 0);
	if (ns >= 0)
		in_child(unmount_one, &w, NULL);
	unlinkat(s->run_fd, arena_printf(&a, "layers/%s", digest_hex(diff_id)), AT_REMOVEDIR);
}

int pin_release(struct store *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int held = lock(s, e);
	const char *dir = arena_printf(&a, "%s/ns", s->run);

	if (held < 0)
		return held;
	drop_marks(s);
	umount2(arena_printf(&a, "%s/mnt", dir), MNT_DETACH);
	if (is_mount(dir) && umount2(dir, MNT_DETACH) < 0)
		return err_sys(e, "cannot unmount '%s'", dir);
	return 0;
}

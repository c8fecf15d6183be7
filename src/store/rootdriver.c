/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rootdriver.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/mountfd.h"
#include "sys/overlay.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- trying ---- */

struct trial {
	const char *dir; /* with upper, work and lower in it, on the store's file system */
	int userns_fd;	 /* whose ids they are shifted to, or -1 */
	struct arena *a;
};

/* Put a shifted copy of the directory over it, as runtime/newroot.c does. */
static int shift(const struct trial *t)
{
	struct mountfd_attr attr = {.set = MOUNT_ATTR_IDMAP, .userns_fd = t->userns_fd};
	auto_fd int fd = mountfd_clone(AT_FDCWD, t->dir, false);
	auto_fd int at = open(t->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || at < 0 ? -1 : mountfd_change(fd, &attr);

	return r < 0 ? r : mountfd_attach(fd, at);
}

static bool try_here(const struct trial *t)
{
	struct strs lower = {0};
	struct overlay_spec o = {.lower = &lower,
				 .upper = arena_printf(t->a, "%s/upper", t->dir),
				 .work = arena_printf(t->a, "%s/work", t->dir),
				 .options = userns_inside() ? "userxattr" : NULL};

	arena_strs_add(t->a, &lower, arena_printf(t->a, "%s/lower", t->dir));
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return (t->userns_fd < 0 || shift(t) >= 0) && overlay_private(&o, NULL) >= 0;
}

static bool try_aside(const struct trial *t)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(!try_here(t));
	return pid > 0 && child_wait(pid, &status) == 0 && status == 0;
}

/* A user namespace with one id, whose first process is gone when this returns. */
static int some_userns(void)
{
	char path[40], c = 0;
	int ready[2], fd = -1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) == 0 && write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &c, 1) == 1 && userns_map_single(pid) == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	close(ready[0]);
	child_kill(pid);
	return fd;
}

static bool make_dirs(int at)
{
	return mkdirat(at, "upper", 0755) == 0 && mkdirat(at, "work", 0700) == 0 &&
	       mkdirat(at, "lower", 0755) == 0;
}

/* 1, 0, or what went wrong before the kernel was asked. */
static int try_kernel(struct store *s, bool shifted, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int userns = shifted ? some_userns() : -1;
	struct trial t = {.userns_fd = userns, .a = &a};
	struct stage *st = NULL;
	int r;

	if (shifted && userns < 0)
		return 0;
	r = stage_new(s, &st, e);
	if (r < 0)
		return r;
	t.dir = arena_printf(&a, "%s/%s", s->root, stage_path(st));
	r = make_dirs(stage_fd(st)) ? try_aside(&t) : err_sys(e, "'%s'", t.dir);
	stage_free(st);
	return r;
}

static int kernel_can(struct store *s, bool shifted, struct err *e)
{
	const char *name = shifted ? "overlay-shifts" : "overlay-writes";
	const char *text;
	auto_free char *have = NULL;
	int r;

	if (s->run_fd < 0)
		return 1;
	if (file_read(s->run_fd, name, 64, &have) > 0)
		return streq(have, "yes\n");
	r = try_kernel(s, shifted, e);
	if (r < 0)
		return r;
	text = r ? "yes\n" : "no\n";
	errno = -file_replace(s->run_fd, name, text, strlen(text), 0600, FILE_LAZY);
	return errno ? err_sys(e, "'%s/%s'", s->run, name) : r;
}

/* ---- choosing ---- */

static const char *program(struct arena *a)
{
	char path[PATH_MAX];

	return child_find(ROOTDRIVER_FUSE, PROGRAM_PATH, path, sizeof(path)) < 0
		   ? NULL
		   : arena_dup(a, path);
}

static int needed(struct arena *a, const char *why, const char **out, struct err *e)
{
	*out = program(a);
	return *out ? 0
		    : err_set(e, ERR_UNSUPPORTED,
			      "%s: " ROOTDRIVER_FUSE " is not installed (Debian package "
			      "fuse-overlayfs)",
			      why);
}

int rootdriver_pick(struct store *s, bool shifted, struct arena *a, const char **out, struct err *e)
{
	int r;

	*out = NULL;
	if (s->driver && streq(s->driver, ROOTDRIVER_KERNEL))
		return 0;
	if (s->driver)
		return needed(a, "--storage-driver", out, e);
	r = kernel_can(s, shifted, e);
	if (r < 0)
		return r;
	/* Without the device the kernel's own reason is the better one. */
	if (!r && access("/dev/fuse", R_OK | W_OK) == 0)
		*out = program(a);
	return 0;
}

static const char *mark(const char *id, struct arena *a)
{
	return arena_printf(a, "instances/%s/rw/" ROOTDRIVER_FUSE, id);
}

bool rootdriver_is_fuse(const struct store *s, const char *id)
{
	auto_arena struct arena a = ARENA_INIT;

	return faccessat(s->root_fd, mark(id, &a), F_OK, 0) == 0;
}

/* Before the layer itself: what is killed between the two leaves an empty layer of the program's.
 */
static int write_down(struct store *s, const char *id, struct arena *a, struct err *e)
{
	const char *rw = arena_printf(a, "instances/%s/rw", id);
	auto_fd int fd = -1;

	if ((mkdirat(s->root_fd, arena_printf(a, "instances/%s", id), 0700) < 0 &&
	     errno != EEXIST) ||
	    (mkdirat(s->root_fd, rw, 0700) < 0 && errno != EEXIST))
		return err_sys(e, "'%s/%s'", s->root, rw);
	fd = openat(s->root_fd, mark(id, a), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, "'%s/%s'", s->root, mark(id, a)) : 0;
}

int rootdriver_use(struct store *s, const struct rootdriver_root *root, struct arena *a,
		   const char **out, struct err *e)
{
	int r;

	*out = NULL;
	if (rootdriver_is_fuse(s, root->id))
		return needed(a, "its writable layer", out, e);
	if (faccessat(s->root_fd, arena_printf(a, "instances/%s/rw/upper", root->id), F_OK, 0) == 0)
		return 0;
	/* The kernel stacks layers anywhere; it is what is written, and whose, that it may refuse.
	 * Of a read-only root only the places of mounts are written: in memory by the kernel's, by
	 * the program into a layer. */
	if (root->readonly && !root->shifted)
		return 0;
	r = rootdriver_pick(s, root->shifted, a, out, e);
	return r < 0 || !*out ? r : write_down(s, root->id, a, e);
}

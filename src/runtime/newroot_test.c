/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "runtime/newroot.h"
#include "runtime/nsset.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/overlay.h"
#include "sys/path.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A directory with `layers` lower directories "l0" ..., each with a file "f<i>" and a common file
 * "same" that holds its number; upper and work beside each other in "rw". */
struct world {
	char dir[64];
	struct arena a;
	struct plan_rootfs r;
};

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0)
		abort();
}

static void world_init(struct world *w, int layers, bool upper)
{
	*w = (struct world){.dir = "/tmp/caisson-newroot-XXXXXX"};
	if (!mkdtemp(w->dir) || chmod(w->dir, 0755) < 0)
		abort();
	for (int i = 0; i < layers; i++) {
		char *l = arena_printf(&w->a, "%s/l%d", w->dir, i);

		make_dir(l);
		put(arena_printf(&w->a, "%s/f%d", l, i), "x");
		put(arena_printf(&w->a, "%s/same", l), arena_printf(&w->a, "%d", i));
		arena_strs_add(&w->a, &w->r.lower, l);
	}
	if (upper) {
		make_dir(arena_printf(&w->a, "%s/rw", w->dir));
		w->r.upper = arena_printf(&w->a, "%s/rw/upper", w->dir);
		w->r.work = arena_printf(&w->a, "%s/rw/work", w->dir);
		make_dir(w->r.upper);
		make_dir(w->r.work);
	}
}

static void world_done(struct world *w)
{
	path_remove(AT_FDCWD, w->dir);
	arena_free(&w->a);
}

static int slurp_at(int dir, const char *name, char *out, size_t size)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	out[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -1 : 0;
}

/* In a process and mount namespace of its own; its exit code is the answer. */
static int apart(int (*fn)(struct world *), struct world *w)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(99);
		_exit(fn(w));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int show(int r, const struct err *e)
{
	if (r < 0)
		printf("# %s\n", e->msg);
	fflush(stdout);
	return r;
}

static int topmost_wins(struct world *w)
{
	struct err e = ERR_INIT;
	auto_fd int fd = newroot_overlay(&w->r, -1, &e);
	char b[16];

	if (show(fd, &e) < 0)
		return 1;
	if (slurp_at(fd, "same", b, sizeof(b)) < 0 || strcmp(b, "0") != 0)
		return 2;
	if (slurp_at(fd, "f2", b, sizeof(b)) < 0)
		return 3;
	if (mkdirat(fd, "made", 0755) < 0)
		return 4;
	return faccessat(fd, "made", F_OK, 0) < 0 ? 5 : 0;
}

TEST(layers_are_stacked_topmost_first_under_a_directory)
{
	struct world w;
	struct stat st;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 3, true);
	int r = apart(topmost_wins, &w);
	int made = stat(arena_printf(&w.a, "%s/made", w.r.upper), &st);

	world_done(&w);
	CHECK_INT(r, 0);
	CHECK_INT(made, 0);
}

TEST(without_a_directory_what_is_written_is_in_memory)
{
	struct world w;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 3, false);
	int r = apart(topmost_wins, &w);

	world_done(&w);
	CHECK_INT(r, 0);
}

static int last_layer(struct world *w)
{
	struct err e = ERR_INIT;
	auto_fd int fd = newroot_overlay(&w->r, -1, &e);
	char b[16];

	return show(fd, &e) < 0 ? 1 : slurp_at(fd, "f126", b, sizeof(b)) < 0 ? 2 : 0;
}

TEST(a_hundred_and_twenty_seven_layers_fit)
{
	struct world w;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 127, true);
	int r = apart(last_layer, &w);

	world_done(&w);
	CHECK_INT(r, 0);
}

/* Names too long for one fsconfig() value. */
TEST(long_names_are_no_trouble)
{
	char name[201];
	struct world w;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 3, true);
	memset(name, 'n', 200);
	name[200] = '\0';
	for (size_t i = 0; i < w.r.lower.n; i++) {
		char *deep = arena_printf(&w.a, "%s/%zu%s", w.dir, i, name);
		char *deeper = arena_printf(&w.a, "%s/%s", deep, name);

		make_dir(deep);
		if (rename(w.r.lower.v[i], deeper) < 0)
			abort();
		w.r.lower.v[i] = deeper;
	}
	int r = apart(topmost_wins, &w);

	world_done(&w);
	CHECK_INT(r, 0);
}

static int by_mount(struct world *w)
{
	struct err e = ERR_INIT;
	struct overlay_spec o = {.lower = &w->r.lower, .upper = w->r.upper, .work = w->r.work};
	auto_fd int fd = overlay_one_string(&o, &e);
	char b[16];

	if (show(fd, &e) < 0)
		return 1;
	return slurp_at(fd, "same", b, sizeof(b)) < 0 || strcmp(b, "0") != 0 ? 2
	       : slurp_at(fd, "f99", b, sizeof(b)) < 0			     ? 3
									     : 0;
}

TEST(an_old_kernel_takes_a_hundred_layers_in_one_string)
{
	struct world w;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 100, true);
	int r = apart(by_mount, &w);

	world_done(&w);
	CHECK_INT(r, 0);
}

static int shifted(struct world *w)
{
	struct plan_idmap m = {.container_id = 0, .host_id = 100000, .size = 65536};
	struct plan_idmaps maps = {.v = &m, .n = 1};
	struct err e = ERR_INIT;
	auto_fd int ns = nsset_userns(&maps, &maps, &e), fd = -1;
	struct stat st;

	if (show(ns, &e) < 0)
		return 1;
	fd = newroot_overlay_aside(&w->r, ns, &e);
	if (fd == -EOPNOTSUPP)
		return 77;
	if (show(fd, &e) < 0)
		return 2;
	return fstatat(fd, "same", &st, 0) < 0 || st.st_uid != 100000 ? 3 : 0;
}

TEST(ids_are_shifted_for_a_user_namespace)
{
	struct world w;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 2, true);
	int r = apart(shifted, &w);

	world_done(&w);
	if (r == 77)
		SKIP("this file system cannot shift ids");
	CHECK_INT(r, 0);
}

static int refused(struct world *w)
{
	struct err e = ERR_INIT;
	struct plan_rootfs none = {0};

	if (newroot_overlay(&none, -1, &e) != -EINVAL)
		return 1;
	w->r.lower.v[1] = "/no/such/layer";
	return newroot_overlay(&w->r, -1, &e) < 0 && e.kind != ERR_NONE ? 0 : 2;
}

TEST(a_missing_layer_is_an_error)
{
	struct world w;

	if (geteuid())
		SKIP("needs root");
	world_init(&w, 2, true);
	int r = apart(refused, &w);

	world_done(&w);
	CHECK_INT(r, 0);
}

TEST_MAIN(T(layers_are_stacked_topmost_first_under_a_directory),
	  T(without_a_directory_what_is_written_is_in_memory),
	  T(a_hundred_and_twenty_seven_layers_fit), T(long_names_are_no_trouble),
	  T(an_old_kernel_takes_a_hundred_layers_in_one_string),
	  T(ids_are_shifted_for_a_user_namespace), T(a_missing_layer_is_an_error))

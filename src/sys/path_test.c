/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/test.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* A fresh directory for one test, opened; removed by tree_done(). */
static char tree_name[64];

static int tree_new(void)
{
	snprintf(tree_name, sizeof(tree_name), "/tmp/path_test-XXXXXX");
	return mkdtemp(tree_name) ? open(tree_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int tree_done(int root)
{
	close(root);
	return path_remove(AT_FDCWD, tree_name);
}

static int put(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

TEST(a_link_does_not_lead_out)
{
	int root = tree_new(), fd;

	CHECK(root >= 0);
	CHECK_INT(symlinkat("/etc", root, "abs"), 0);
	CHECK_INT(symlinkat("../../../../etc", root, "rel"), 0);
	CHECK_INT(symlinkat("inside", root, "good"), 0);
	CHECK_INT(mkdirat(root, "inside", 0755), 0);
	CHECK_INT(put(root, "inside/f"), 0);
	CHECK_INT(path_open(root, "abs/passwd", O_RDONLY, 0, PATH_BENEATH), -EXDEV);
	CHECK_INT(path_open(root, "rel/passwd", O_RDONLY, 0, PATH_BENEATH), -EXDEV);
	CHECK_INT(path_open(root, "../x", O_RDONLY, 0, PATH_BENEATH), -EXDEV);
	CHECK_INT(path_open(root, "abs/passwd", O_RDONLY, 0, PATH_IN_ROOT), -ENOENT);
	CHECK_INT(path_open(root, "good/f", O_RDONLY, 0, PATH_NO_LINKS), -ELOOP);
	fd = path_open(root, "/good/f", O_RDONLY, 0, PATH_BENEATH);
	CHECK(fd >= 0);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = path_open(root, "../../inside/f", O_RDONLY, 0, PATH_IN_ROOT);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(tree_done(root), 0);
}

TEST(magic_links_are_refused)
{
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK_INT(path_open(proc, "root/etc", O_RDONLY, 0, PATH_BENEATH), -ELOOP);
	CHECK_INT(path_open(proc, "fd/0", O_RDONLY, 0, PATH_IN_ROOT), -ELOOP);
	close(proc);
}

TEST(mkdirs_makes_what_is_missing)
{
	int root = tree_new(), fd;
	struct stat st;

	fd = path_mkdirs(root, "a//b/../c/", 0750, PATH_BENEATH);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(fstatat(root, "a/b", &st, 0), 0);
	CHECK_INT(fstatat(root, "a/c", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0750);
	CHECK_INT(path_mkdirs(root, "a/d", 0, PATH_BENEATH), -ENOENT);
	CHECK_INT(put(root, "a/file"), 0);
	CHECK_INT(path_mkdirs(root, "a/file/x", 0755, PATH_BENEATH), -ENOTDIR);
	CHECK_INT(path_mkdirs(root, "../out", 0755, PATH_BENEATH), -EXDEV);
	CHECK_INT(symlinkat("/a", root, "link"), 0);
	CHECK_INT(path_mkdirs(root, "link/e", 0755, PATH_BENEATH), -EXDEV);
	fd = path_mkdirs(root, "link/e", 0755, PATH_IN_ROOT);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(fstatat(root, "a/e", &st, 0), 0);
	/* A dangling link is nobody's directory: it is not followed to make its target. */
	CHECK_INT(symlinkat("nowhere", root, "dangling"), 0);
	CHECK(path_mkdirs(root, "dangling/x", 0755, PATH_IN_ROOT) < 0);
	CHECK_INT(fstatat(root, "nowhere", &st, 0), -1);
	CHECK_INT(tree_done(root), 0);
}

TEST(long_names_are_refused)
{
	char name[5000];
	int root = tree_new();

	memset(name, 'x', sizeof(name));
	name[300] = '\0';
	CHECK_INT(path_mkdirs(root, name, 0755, PATH_BENEATH), -ENAMETOOLONG);
	for (size_t i = 0; i + 1 < sizeof(name); i++)
		name[i] = i % 2 ? '/' : 'a';
	name[sizeof(name) - 1] = '\0';
	CHECK_INT(path_mkdirs(root, name, 0755, PATH_BENEATH), -ENAMETOOLONG);
	CHECK_INT(tree_done(root), 0);
}

TEST(parent_gives_directory_and_last_name)
{
	int root = tree_new(), fd;
	const char *base = NULL;
	struct stat st;

	fd = path_parent(root, "/x/y/z", 0755, PATH_BENEATH, &base);
	CHECK(fd >= 0);
	CHECK_STR(base, "z");
	CHECK_INT(put(fd, "z"), 0);
	CHECK_INT(fstatat(root, "x/y/z", &st, 0), 0);
	close(fd);
	fd = path_parent(root, "top", 0, PATH_BENEATH, &base);
	CHECK(fd >= 0);
	CHECK_STR(base, "top");
	close(fd);
	CHECK_INT(path_parent(root, "no/such", 0, PATH_BENEATH, &base), -ENOENT);
	CHECK_INT(path_parent(root, "x/..", 0, PATH_BENEATH, &base), -EINVAL);
	CHECK_INT(path_parent(root, "x/", 0, PATH_BENEATH, &base), -EINVAL);
	CHECK_INT(path_parent(root, "/", 0, PATH_BENEATH, &base), -EINVAL);
	CHECK_INT(path_parent(root, "", 0, PATH_BENEATH, &base), -EINVAL);
	CHECK_INT(tree_done(root), 0);
}

TEST(remove_follows_no_link)
{
	int root = tree_new();
	struct stat st;

	CHECK_INT(mkdirat(root, "keep", 0755), 0);
	CHECK_INT(put(root, "keep/f"), 0);
	CHECK_INT(mkdirat(root, "gone", 0755), 0);
	CHECK_INT(mkdirat(root, "gone/sub", 0), 0);
	CHECK_INT(symlinkat("../keep", root, "gone/link"), 0);
	CHECK_INT(mknodat(root, "gone/fifo", S_IFIFO | 0600, 0), 0);
	CHECK_INT(path_remove(root, "gone"), 0);
	CHECK_INT(fstatat(root, "gone", &st, 0), -1);
	CHECK_INT(fstatat(root, "keep/f", &st, 0), 0);
	CHECK_INT(path_remove(root, "gone"), 0);
	CHECK_INT(path_remove(root, "keep/f"), 0);
	CHECK_INT(tree_done(root), 0);
}

/* Deeper than there are descriptors, and deeper than PATH_MAX can name. */
TEST(remove_of_a_tree_deeper_than_any_path)
{
	int root = tree_new();
	auto_fd int at = dup(root);

	for (int i = 0; i < 2500; i++) {
		int next;

		CHECK_INT(mkdirat(at, "d", 0755), 0);
		if (i % 500 == 0)
			CHECK_INT(put(at, "f"), 0);
		next = openat(at, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		CHECK(next >= 0);
		close(at);
		at = next;
	}
	CHECK_INT(tree_done(root), 0);
	CHECK_INT(access(tree_name, F_OK), -1);
}

TEST(remove_stops_at_a_mount)
{
	struct stat st;
	int root;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("needs a mount namespace of its own");
	root = tree_new(); /* a descriptor from before would belong to the old namespace */
	CHECK_INT(mkdirat(root, "source", 0755), 0);
	CHECK_INT(put(root, "source/f"), 0);
	CHECK_INT(mkdirat(root, "t", 0755), 0);
	CHECK_INT(mkdirat(root, "t/m", 0755), 0);
	CHECK_INT(fchdir(root), 0);
	/* The same file system on both sides: device numbers do not tell them apart. */
	CHECK_INT(mount("source", "t/m", NULL, MS_BIND, NULL), 0);
	CHECK_INT(path_remove(root, "t"), -EXDEV);
	CHECK_INT(fstatat(root, "source/f", &st, 0), 0);
	CHECK_INT(umount2("t/m", MNT_DETACH), 0);
	CHECK_INT(tree_done(root), 0);
}

TEST(path_of_fd_opens_the_same_file)
{
	char buf[PATH_FD_MAX];
	struct stat a, b;

	CHECK_INT(fstat(0, &a), 0);
	CHECK_INT(stat(path_of_fd(0, buf), &b), 0);
	CHECK_INT(a.st_ino, b.st_ino);
}

TEST(names_are_sorted_and_read_again)
{
	auto_arena struct arena a = ARENA_INIT;
	int root = tree_new();

	CHECK_INT(put(root, "b"), 0);
	CHECK_INT(put(root, ".a"), 0);
	CHECK_INT(put(root, "b\n"), 0);
	for (int i = 0; i < 2; i++) { /* the descriptor's own position does not count */
		struct strs names = {0};

		CHECK_INT(path_names(root, &a, &names), 0);
		CHECK_INT(names.n, 3);
		CHECK_STR(names.v[0], ".a");
		CHECK_STR(names.v[2], "b\n");
	}
	CHECK_INT(path_names(0, &a, &(struct strs){0}), -ENOTDIR);
	CHECK_INT(tree_done(root), 0);
}

TEST_MAIN(T(names_are_sorted_and_read_again), T(a_link_does_not_lead_out),
	  T(magic_links_are_refused), T(mkdirs_makes_what_is_missing), T(long_names_are_refused),
	  T(parent_gives_directory_and_last_name), T(remove_follows_no_link),
	  T(remove_of_a_tree_deeper_than_any_path), T(path_of_fd_opens_the_same_file),
	  T(remove_stops_at_a_mount))

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "build/copyplan.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two trees: what is copied (src/), and the root it goes to (root/). */
struct trees {
	char name[40];
	int fd, src, root;
};

static void put(int dir, const char *path)
{
	const char *base;
	auto_fd int parent = path_parent(dir, path, 0755, PATH_BENEATH, &base);

	if (parent < 0 || file_replace(parent, base, "x", 1, 0640, FILE_LAZY) < 0)
		abort();
}

static void trees_open(struct trees *t)
{
	snprintf(t->name, sizeof(t->name), "/tmp/copyplan_test-XXXXXX");
	if (!mkdtemp(t->name))
		abort();
	t->fd = open(t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(t->fd, "src/d/a");
	put(t->fd, "src/d/e/b");
	put(t->fd, "src/d.c");
	put(t->fd, "src/two/d/a");
	put(t->fd, "root/usr/lib/x");
	t->src = openat(t->fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->root = openat(t->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->root < 0 || symlinkat("/usr/lib", t->root, "lib") < 0 ||
	    symlinkat("nowhere", t->root, "dangling") < 0)
		abort();
}

static void trees_close(struct trees *t)
{
	close(t->src);
	close(t->root);
	close(t->fd);
	path_remove(AT_FDCWD, t->name);
}

/* The plan as text: a letter for the kind, and the path; or the error. */
static const char *plan(int root_fd, const char *words, struct arena *a)
{
	auto_buf struct buf out = BUF_INIT(4096);
	struct filefind_root r = {.name = "the build context"};
	struct filefind_list l;
	struct strs patterns = {0};
	struct err e = ERR_INIT;
	struct copyplan_dest d = {.root_fd = root_fd};
	struct copyplan p = {0};
	struct trees t;
	int ret;

	trees_open(&t);
	r.fd = t.src;
	d.root_fd = root_fd < 0 ? -1 : t.root;
	for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ')
		arena_strs_add(a, &patterns, arena_dupn(a, w, strcspn(w, " ")));
	d.path = patterns.v[--patterns.n];
	ret = filefind_find(&r, &patterns, &(struct filefind_rules){0}, a, &l, &e);
	d.named = l.named;
	if (ret >= 0)
		ret = copyplan_begin(&p, &d, a, &e);
	if (ret >= 0)
		ret = copyplan_add(&p, &r, &l, &e);
	if (ret >= 0)
		ret = copyplan_end(&p, &e);
	for (size_t i = 0; ret >= 0 && i < p.n; i++)
		buf_printf(&out, "%s%c:%s", i ? " " : "", "ftm"[p.v[i].kind], p.v[i].path);
	trees_close(&t);
	return arena_dup(a, ret < 0 ? e.msg : out.p);
}

TEST(paths_and_what_is_above_them)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(plan(0, "d.c /usr/new/x", &a), "t:usr m:usr/new f:usr/new/x");
	CHECK_STR(plan(0, "d.c /usr", &a), "t:usr f:usr/d.c");
	CHECK_STR(plan(-1, "d.c /usr", &a), "f:usr");
	CHECK_STR(plan(0, "d /", &a), "f:a f:e f:e/b");
	CHECK_STR(plan(0, "d d.c /n/", &a), "m:n f:n/a f:n/d.c f:n/e f:n/e/b");
	CHECK_STR(plan(0, "d /n/../m", &a), "m:m f:m/a f:m/e f:m/e/b");
}

TEST(links_of_the_root_are_followed_in_it)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(plan(0, "d /lib", &a), "t:usr t:usr/lib f:usr/lib/a f:usr/lib/e f:usr/lib/e/b");
	CHECK_STR(plan(0, "d.c /lib/y", &a), "t:usr t:usr/lib f:usr/lib/y");
	/* With nothing below that counts, a name is only a name. */
	CHECK_STR(plan(-1, "d.c /lib/y", &a), "m:lib f:lib/y");
	CHECK_STR(plan(0, "d /dangling", &a),
		  "'/dangling' is a link in the image, and leads to no directory");
	CHECK_STR(plan(0, "d.c /dangling", &a), "f:dangling");
}

TEST(one_path_is_one_thing)
{
	auto_arena struct arena a = ARENA_INIT;

	/* The later of two files, and one directory for two. */
	CHECK_STR(plan(0, "d two/d /n/", &a), "m:n f:n/a f:n/e f:n/e/b");
	CHECK_STR(plan(0, "d.c d.c /n/", &a), "m:n f:n/d.c");
	CHECK_STR(plan(0, "d.c /usr/lib/x/y", &a), "'/usr/lib/x' is not a directory in the image");
	CHECK_STR(plan(0, "d /usr/lib/x", &a), "'/usr/lib/x' is not a directory in the image");
	CHECK_STR(plan(0, "d.c /usr/lib/", &a), "t:usr t:usr/lib f:usr/lib/d.c");
	CHECK_STR(plan(0, "d d.c /new", &a),
		  "'/new' must be a directory and end with '/': there is more than one source");
}

TEST_MAIN(T(paths_and_what_is_above_them), T(links_of_the_root_are_followed_in_it),
	  T(one_path_is_one_thing))

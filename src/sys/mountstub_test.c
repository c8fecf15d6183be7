/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/mountstub.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
	char dir[64];
	int fd, root, upper;
};

static void make(struct world *w)
{
	snprintf(w->dir, sizeof(w->dir), "/tmp/caisson-mountstub-XXXXXX");
	CHECK(mkdtemp(w->dir));
	w->fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdirat(w->fd, "root", 0755) == 0 && mkdirat(w->fd, "upper", 0755) == 0);
	CHECK(mkdirat(w->fd, "root/etc", 0755) == 0 && mkdirat(w->fd, "upper/etc", 0755) == 0);
	w->root = openat(w->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->upper = openat(w->fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(const struct world *w, const char *path, const char *text)
{
	auto_fd int fd = openat(w->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, text, 1) >= 0);
}

static bool there(const struct world *w, const char *path)
{
	return faccessat(w->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void done(struct world *w)
{
	static const char *const files[] = {"upper/etc/hosts", "upper/etc/mine"};
	static const char *const dirs[] = {"upper/etc", "root/etc", "upper", "root"};

	for (size_t i = 0; i < 2; i++)
		unlinkat(w->fd, files[i], 0);
	for (size_t i = 0; i < 4; i++)
		unlinkat(w->fd, dirs[i], AT_REMOVEDIR);
	close(w->root);
	close(w->upper);
	close(w->fd);
	rmdir(w->dir);
}

TEST(a_place_goes_with_the_directory_that_held_it)
{
	struct world w;
	auto_fd int fd = -1;

	make(&w);
	fd = openat(w.fd, "upper/etc/hosts", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	mountstub_drop(w.root, w.upper, "etc/hosts");
	CHECK(!there(&w, "upper/etc"));
	done(&w);
}

TEST(what_was_written_stays)
{
	struct world w;

	make(&w);
	put(&w, "upper/etc/hosts", "x");
	mountstub_drop(w.root, w.upper, "etc/hosts");
	CHECK(there(&w, "upper/etc/hosts"));
	done(&w);
}

TEST(a_directory_that_was_changed_or_holds_more_stays)
{
	struct world w;

	make(&w);
	CHECK(fchmodat(w.fd, "upper/etc", 0700, 0) == 0);
	mountstub_drop(w.root, w.upper, "etc/hosts");
	CHECK(there(&w, "upper/etc"));
	CHECK(fchmodat(w.fd, "upper/etc", 0755, 0) == 0);
	put(&w, "upper/etc/mine", "x");
	mountstub_drop(w.root, w.upper, "etc/hosts");
	CHECK(there(&w, "upper/etc/mine"));
	done(&w);
}

TEST_MAIN(T(a_place_goes_with_the_directory_that_held_it), T(what_was_written_stays),
	  T(a_directory_that_was_changed_or_holds_more_stays))

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mountstub.h"
#include "base/arena.h"
#include "base/auto.h"
#include "sys/fusemarks.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the root and the upper directory: the same directory, with nothing done in it. */
static bool untouched(int root, int dir, const char *base, const char *path)
{
	auto_fd int before = path_open(root, path, O_PATH | O_DIRECTORY, 0, PATH_IN_ROOT);
	struct stat was, is;

	return before >= 0 && fstat(before, &was) == 0 &&
	       fstatat(dir, base, &is, AT_SYMLINK_NOFOLLOW) == 0 && was.st_mode == is.st_mode &&
	       was.st_uid == is.st_uid && was.st_gid == is.st_gid;
}

/* fuse-overlayfs marks a directory that is new. */
static void drop(int dir, const char *base, bool is_dir)
{
	auto_fd int fd =
	    is_dir ? openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd >= 0)
		fusemarks_empty(fd, true);
	(void)unlinkat(dir, base, is_dir ? AT_REMOVEDIR : 0);
}

void mountstub_drop(int root_fd, int upper_fd, const char *path)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *base, *slash;
	auto_fd int dir = path_parent(upper_fd, path, 0, PATH_NO_LINKS, &base);
	struct stat st;

	if (dir >= 0 && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0)))
		drop(dir, base, S_ISDIR(st.st_mode));
	while ((slash = strrchr(path, '/'))) {
		auto_fd int above = -1;

		path = arena_dupn(&a, path, (size_t)(slash - path));
		above = path_parent(upper_fd, path, 0, PATH_NO_LINKS, &base);
		if (above < 0 || !untouched(root_fd, above, base, path) ||
		    unlinkat(above, base, AT_REMOVEDIR) < 0)
			break;
	}
}

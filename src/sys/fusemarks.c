/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fusemarks.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/str.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPAQUE ".wh..wh..opq"

const char *fusemarks_whiteout(const char *name)
{
	const char *rest = str_after(name, ".wh.");

	return rest && (streq(name, OPAQUE) || streq(rest, ".opq")) ? "" : rest;
}

bool fusemarks_opaque(int fd)
{
	/* The file is always there; an attribute only where it may be set. */
	static const char *const names[] = {"user.fuseoverlayfs.opaque", "user.overlay.opaque",
					    "trusted.overlay.opaque"};
	struct stat st;
	char v[2];

	if (fstatat(fd, OPAQUE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (fgetxattr(fd, names[i], v, sizeof(v)) == 1 && *v == 'y')
			return true;
	return false;
}

bool fusemarks_xattr(const char *name)
{
	return str_after(name, "user.fuseoverlayfs.") || str_after(name, "user.overlay.") ||
	       str_after(name, "trusted.overlay.");
}

bool fusemarks_empty(int fd, bool remove)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs names = {0};

	if (path_names(fd, &a, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		const char *gone = fusemarks_whiteout(names.v[i]);

		if (!gone || *gone)
			return false;
	}
	for (size_t i = 0; remove && i < names.n; i++)
		unlinkat(fd, names.v[i], 0);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define PATH_LIMIT 2048

/* One component: what the kernel would refuse, what a terminal would obey, and "..", which is how a
 * cgroupsPath from a pod manifest would leave its parent. */
static int check_name(const char *s, size_t n, struct err *e)
{
	if (n == 2 && memcmp(s, "..", 2) == 0)
		return err_set(e, ERR_USAGE, "cgroup path may not contain '..'");
	if (n > NAME_MAX)
		return err_set(e, ERR_USAGE, "cgroup path: a name is longer than %d bytes",
			       NAME_MAX);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return err_set(e, ERR_USAGE, "cgroup path contains a control character");
	return 0;
}

int cgroup_path_clean(struct arena *a, const char *path, const char **out, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(PATH_LIMIT);

	while (*path) {
		size_t n = strcspn(path, "/");
		int r = check_name(path, n, e);

		if (r < 0)
			return r;
		if (n > 0 && !(n == 1 && *path == '.')) {
			buf_puts(&b, b.len ? "/" : "");
			buf_add(&b, path, n);
		}
		path += n;
		path += *path == '/';
	}
	if (buf_fail(&b, "cgroup path", e) < 0)
		return -EOVERFLOW;
	if (!b.len)
		return err_set(e, ERR_USAGE, "cgroup path names the root of the hierarchy");
	*out = arena_dup(a, b.p);
	return 0;
}

static bool unit_characters(const char *s)
{
	for (; *s; s++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@",
			    *s))
			return false;
	return true;
}

/* Source: runc docs/systemd.md; systemd.unit(5) for what a unit name may hold (255 bytes). */
int cgroup_path_unit(struct arena *a, const char *path, const char *id, const char **slice,
		     const char **unit, struct err *e)
{
	const char *prefix = "caisson", *name = id, *s = "";

	if (path && *path) {
		const char *c1 = strchr(path, ':'), *c2 = c1 ? strchr(c1 + 1, ':') : NULL;

		if (!c2 || strchr(c2 + 1, ':'))
			return err_set(e, ERR_USAGE,
				       "expected cgroupsPath to be of format \"slice:prefix:name\" "
				       "for systemd cgroups, got '%s' instead",
				       path);
		s = arena_dupn(a, path, (size_t)(c1 - path));
		prefix = arena_dupn(a, c1 + 1, (size_t)(c2 - c1 - 1));
		name = c2 + 1;
	}
	if (!name || !*name)
		return err_set(e, ERR_USAGE, "cgroup path: the unit has no name");
	if (!*s)
		s = geteuid() == 0 ? "system.slice" : "user.slice";
	/* A name that is a slice is a slice of its own; everything else is a scope. */
	if (strlen(name) > 6 && streq(name + strlen(name) - 6, ".slice"))
		*unit = name;
	else
		*unit = *prefix ? arena_printf(a, "%s-%s.scope", prefix, name)
				: arena_printf(a, "%s.scope", name);
	if (!unit_characters(*unit) || !unit_characters(s) || strlen(*unit) > 255)
		return err_set(e, ERR_USAGE, "cgroup path: '%s' in '%s' is no systemd unit name",
			       *unit, s);
	*unit = arena_dup(a, *unit);
	*slice = s;
	return 0;
}

/* "a-b.slice" is the directory "a.slice/a-b.slice"; "-.slice" is the root.
 * Source: systemd.slice(5). */
int cgroup_path_slice(struct arena *a, const char *slice, const char **out, struct err *e)
{
	size_t n = strlen(slice), stem = n > 6 ? n - 6 : 0;
	const char *path = "";

	if (streq(slice, "-.slice")) {
		*out = "";
		return 0;
	}
	if (!stem || !streq(slice + stem, ".slice") || strchr(slice, '/') || slice[0] == '-' ||
	    slice[stem - 1] == '-' || strstr(slice, "--"))
		return err_set(e, ERR_USAGE, "invalid slice name '%s'", slice);
	for (size_t i = 1; i <= stem; i++)
		if (i == stem || slice[i] == '-')
			path = arena_printf(a, "%s%s%.*s.slice", path, *path ? "/" : "", (int)i,
					    slice);
	*out = path;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cgparent.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <ctype.h>

#define DEFAULT	  "/caisson"
#define PATH_MAX_ 1024
#define NAME_MAX_ 255
#define SLICE	  ".slice"

static bool plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("-_.:@+", s[i]))
			return false;
	return n && n <= NAME_MAX_ && *s != '.';
}

/* systemd.slice(5): each '-' is a level, and a level repeats those above it. */
static const char *expand(const char *slice, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(64 << 10);
	size_t n = strlen(slice) - strlen(SLICE);

	for (size_t i = 1; i < n; i++)
		if (slice[i] == '-')
			buf_printf(&b, "/%.*s" SLICE, (int)i, slice);
	buf_printf(&b, "/%s", slice);
	return b.failed ? NULL : arena_dup(a, b.p);
}

static bool is_slice(const char *s)
{
	size_t n = strlen(s), k = strlen(SLICE);

	return !strchr(s, '/') && n > k && streq(s + n - k, SLICE);
}

int cgparent_path(const char *said, struct arena *a, const char **out, struct err *e)
{
	const char *path = said, *p;

	if (!said || !*said) {
		*out = DEFAULT;
		return 0;
	}
	if (is_slice(said) && plain(said, strlen(said)))
		path = strstr(said, "--") || *said == '-' ? NULL : expand(said, a);
	else if (*said != '/')
		path = arena_printf(a, "/%s", said);
	for (p = path; p && *p; p += strcspn(p, "/")) {
		size_t n = strcspn(++p, "/");

		/* "/" alone is the root of the hierarchies. */
		if (!plain(p, n) && !streq(path, "/"))
			path = p = NULL;
		if (!p)
			break;
	}
	if (!path || strlen(path) > PATH_MAX_)
		return err_set(e, ERR_USAGE,
			       "--cgroup-parent '%.80s': wants a path of names without '..' or a "
			       "slice such as a-b.slice",
			       said);
	*out = streq(path, "/") ? "" : path;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's own cgroup, beside the instances'.
 *
 * v1: memory and cpuacct always, so that what the engine costs is counted apart; others, and
 * systemd's own tree, only where the caller is in a cgroup of its own there: that is where somebody
 * else's limit, or the end of a session, would reach us.  v2: likewise, but getting in by a write
 * waits for a grace period (cgroup_enter.c), so whoever starts the next one clones it into the
 * directory, and the write is only for the first.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTED (CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_CPUACCT))
#define LIMITED                                                                                    \
	(COUNTED | CGROUP_BIT(CGROUP_PIDS) | CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_BLKIO))

/* Nothing but the name where we are root, who may make it at the top. */
static const char *place(const struct cgroup_tree *t, struct arena *a)
{
	const char *own = cgroup_host_restricted() ? t->own : "";

	if (t->version == 2)
		own = arena_dupn(a, own, (size_t)(strrchr(own, '/') ? strrchr(own, '/') - own : 0));
	return arena_printf(a, "%s%s" CGROUP_ASIDE, own, *own ? "/" : "");
}

static bool wanted(const struct cgroup_tree *t)
{
	if (t->aside)
		return false;
	if (t->version == 2)
		return t->controllers || *t->own;
	return t->controllers & (*t->own ? LIMITED : COUNTED) ||
	       (*t->own && streq(t->names, "name=systemd"));
}

/* For the numbers; what is refused is not counted. */
static void count_v2(int mount, const char *path, const struct cgroup_tree *t, struct arena *a)
{
	const char *slash = strrchr(path, '/');
	auto_fd int dir = openat(mount, slash ? arena_dupn(a, path, (size_t)(slash - path)) : ".",
				 O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		cgroup_v2_enable(dir, t->controllers & (LIMITED | CGROUP_BIT(CGROUP_MEMORY)));
}

static int enter(const struct cgroup_tree *t, struct arena *a, struct buf *v2)
{
	const char *path = place(t, a);
	const char *file =
	    arena_printf(a, "%s/%s", path, t->version == 2 ? "cgroup.procs" : "tasks");
	auto_fd int mount = open(t->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = mount < 0 ? -errno : file_put(mount, file, "0");

	if (r == -ENOENT) {
		if (mkdirat(mount, path, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (t->version == 2)
			count_v2(mount, path, t, a);
		r = file_put(mount, file, "0");
	}
	if (r == 0 && t->version == 2 && v2)
		buf_printf(v2, "%s/%s", t->mount, path);
	return r;
}

void cgroup_aside(struct buf *v2)
{
	const struct cgroup_host *h = cgroup_host_get(NULL);
	auto_arena struct arena a = ARENA_INIT;

	for (size_t i = 0; h && i < h->n; i++)
		if (wanted(&h->tree[i]))
			enter(&h->tree[i], &a, v2);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/mountinfo.h"
#include "fmt/proc_cgroup.h"
#include "runtime/cgroup_int.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/vfs.h>

#define MOUNTINFO_MAX (64u << 20)
#define CGROUP2_SUPER 0x63677270
#define DEFAULT_MOUNT "/sys/fs/cgroup"

static const char *const names[CGROUP_CTL_MAX_][2] = {
#define X(id, v1, v2) {v1, v2},
    CGROUP_CONTROLLERS(X)
#undef X
};

const char *cgroup_host_name(enum cgroup_ctl c, int version)
{
	return names[c][version - 1];
}

uint32_t cgroup_host_bits(const char *list, int version)
{
	uint32_t bits = 0;

	for (int c = 0; c < CGROUP_CTL_MAX_; c++)
		if (*names[c][version - 1] && mountinfo_has(list, names[c][version - 1]))
			bits |= CGROUP_BIT(c);
	return bits;
}

/* The words of a v1 superblock's options that say which hierarchy it is: controllers and name=. */
static const char *hierarchy_of(struct arena *a, const char *super)
{
	const char *out = "";

	while (*super) {
		size_t len = strcspn(super, ",");
		const char *w = arena_dupn(a, super, len);

		if (cgroup_host_bits(w, 1) || str_after(w, "name="))
			out = *out ? arena_printf(a, "%s,%s", out, w) : w;
		super += len;
		super += *super == ',';
	}
	return out;
}

static struct cgroup_tree *find(struct cgroup_host *h, int version, const char *list)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->tree[i].version == version && streq(h->tree[i].names, list))
			return &h->tree[i];
	return NULL;
}

static void add_mount(struct cgroup_host *h, const struct mountinfo_entry *m)
{
	int version = streq(m->type, "cgroup2") ? 2 : 1;
	const char *list = version == 2 ? "" : hierarchy_of(&h->arena, m->super);
	struct cgroup_tree *t = find(h, version, list);

	if (version == 1 && !*list)
		return;
	/* A hierarchy may be mounted again, such as inside another container's root: the first
	 * below the usual directory is the host's.  A later one of the same name hides it. */
	if (t && !streq(t->mount, m->target) &&
	    (str_after(t->mount, DEFAULT_MOUNT) || !str_after(m->target, DEFAULT_MOUNT)))
		return;
	if (!t) {
		if (h->n == CGROUP_TREES_MAX)
			return;
		t = &h->tree[h->n++];
	}
	*t = (struct cgroup_tree){
	    .version = version,
	    .names = list,
	    .controllers = version == 1 ? cgroup_host_bits(list, 1) : 0,
	    .mount = arena_dup(&h->arena, m->target),
	    .root = arena_dup(&h->arena, m->root),
	    .own = "",
	};
	if (version == 2)
		h->unified = (int)(t - h->tree);
}

/* Where we are beneath the mount: /proc/self/cgroup counts from the cgroup namespace's root, the
 * mount may show a part only (docker in docker without a cgroup namespace). */
static void add_own(struct cgroup_host *h, const struct proc_cgroup *c)
{
	struct cgroup_tree *t = find(h, c->hierarchy == 0 ? 2 : 1, c->controllers);
	const char *rest, *last;
	size_t n;

	/* The kernel orders a co-mounted list alike in both files, so names are equal as text. */
	if (!t || str_after(c->path, "/.."))
		return;
	rest = streq(t->root, "/") ? c->path : str_after(c->path, t->root);
	if (!rest || (*rest && *rest != '/'))
		return;
	while (*rest == '/')
		rest++;
	n = strlen(rest);
	last = strrchr(rest, '/') ? strrchr(rest, '/') + 1 : rest;
	t->aside = streq(last, CGROUP_ASIDE);
	/* On v2 what is relative goes beside us, which it does from there, too. */
	if (t->aside && t->version == 1)
		n = last == rest ? 0 : (size_t)(last - rest) - 1;
	t->own = arena_dupn(&h->arena, rest, n);
}

int cgroup_host_parse(struct cgroup_host *h, char *mountinfo, char *self_cgroup)
{
	struct mountinfo_entry m;
	struct proc_cgroup c;

	h->unified = -1;
	while (mountinfo_next(&mountinfo, &m))
		if (streq(m.type, "cgroup") || streq(m.type, "cgroup2"))
			add_mount(h, &m);
	while (proc_cgroup_next(&self_cgroup, &c))
		add_own(h, &c);
	return (int)h->n;
}

static void read_v2_controllers(struct cgroup_tree *t)
{
	auto_fd int dir = open(t->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);

	t->controllers = dir < 0 ? 0 : cgroup_v2_controllers(dir);
}

/* On a v2-only host the table of mounts, which may have thousands of lines, is not needed. */
static char *mounts(void)
{
	struct statfs s;
	char *text;

	if (statfs(DEFAULT_MOUNT, &s) == 0 && s.f_type == CGROUP2_SUPER)
		return strdup("1 1 0:1 / " DEFAULT_MOUNT " rw - cgroup2 cgroup2 rw\n");
	return file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text) < 0 ? NULL : text;
}

const struct cgroup_host *cgroup_host_get(struct err *e)
{
	/* What is mounted does not change while a command runs; every function here asks for it. */
	static struct cgroup_host host;
	auto_free char *table = NULL;
	auto_free char *own = NULL;

	if (host.n)
		return &host;
	table = mounts();
	if (!table || file_read(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &own) < 0) {
		err_sys(e, "cgroup: read /proc/self");
		return NULL;
	}
	if (cgroup_host_parse(&host, table, own) == 0) {
		err_set(e, ERR_UNSUPPORTED, "cgroup: no cgroup file system is mounted here");
		return NULL;
	}
	if (host.unified >= 0)
		read_v2_controllers(&host.tree[host.unified]);
	/* What the v2 tree has is not on v1: the kernel binds a controller to one hierarchy. */
	return &host;
}

/* Relative paths go below our own cgroup, on v2 beside it (cgroup.c). */
static bool may_divide(const struct cgroup_tree *t)
{
	char path[PATH_MAX];
	const char *slash = t->version == 2 ? strrchr(t->own, '/') : NULL;
	int n = t->version == 2 ? (slash ? (int)(slash - t->own) : 0) : (int)strlen(t->own);

	snprintf(path, sizeof(path), "%s/%.*s", t->mount, n, t->own);
	return access(path, W_OK) == 0;
}

uint32_t cgroup_host_limits(void)
{
	const struct cgroup_host *h = cgroup_host_get(NULL);
	uint32_t bits = 0;

	for (size_t i = 0; h && i < h->n; i++)
		bits |= may_divide(&h->tree[i]) ? h->tree[i].controllers : 0;
	return bits;
}

bool cgroup_host_restricted(void)
{
	return geteuid() != 0 || userns_inside();
}

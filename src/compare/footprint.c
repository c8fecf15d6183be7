/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/footprint.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "sys/file.h"

#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int64_t footprint_blocks(const char *path)
{
	char copy[PATH_MAX], *paths[] = {copy, NULL};
	int64_t sum = 0;
	FTSENT *f;
	FTS *t;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	t = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	if (!t)
		return -errno;
	while (sum >= 0 && (f = fts_read(t)))
		switch (f->fts_info) {
		case FTS_DP: /* counted on the way down */
			break;
		case FTS_NS:
		case FTS_ERR:
		case FTS_DNR:
			sum = -f->fts_errno;
			break;
		default:
			sum += f->fts_statp->st_blocks * 512;
		}
	fts_close(t);
	return sum;
}

static int add(uint64_t *sum, const char *path, struct err *e)
{
	int64_t n = footprint_blocks(path);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", path);
	}
	*sum += (uint64_t)n;
	return 0;
}

/* A layer is a file or a directory in the store; the plan names where it is mounted. */
static int add_layer(uint64_t *sum, const char *root, const char *mounted, struct err *e)
{
	const char *slash = strrchr(mounted, '/');
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/layers/%s.erofs", root, slash ? slash + 1 : mounted);
	return add(sum, stat(path, &st) == 0 ? path : mounted, e);
}

int footprint_disk(const char *root, const struct plan *p, struct footprint *out, struct err *e)
{
	const struct plan_caisson *c = p->caisson;
	struct footprint f = {0};
	int r = 0;

	if (!c || !c->state_dir)
		return err_set(e, ERR_CORRUPT, "the plan does not say where the instance is kept");
	r = add(&f.own_bytes, c->state_dir, e);
	if (c->isolation == PLAN_VM) {
		for (size_t i = 0; r == 0 && i < c->rootfs.disk.n; i++)
			r = add(&f.shared_bytes, c->rootfs.disk.v[i], e);
		if (r == 0 && c->vm && c->vm->kernel)
			r = add(&f.shared_bytes, c->vm->kernel, e);
		if (r == 0 && c->vm && c->vm->initrd)
			r = add(&f.shared_bytes, c->vm->initrd, e);
	} else {
		for (size_t i = 0; r == 0 && i < c->rootfs.lower.n; i++)
			r = add_layer(&f.shared_bytes, root, c->rootfs.lower.v[i], e);
	}
	if (r == 0)
		*out = f;
	return r;
}

/* The path of a process in the hierarchy that has the memory controller; *v1 says which kind. */
static int memory_path(const char *proc, char *out, size_t size, bool *v1)
{
	auto_free char *text = NULL;
	char *save = NULL;

	if (file_read(AT_FDCWD, proc, 1 << 16, &text) < 0)
		return -ENOENT;
	*out = '\0';
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *ctrl = strchr(l, ':'), *path = ctrl ? strchr(ctrl + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (streq(ctrl + 1, "memory") || (!ctrl[1] && !*out)) {
			*v1 = ctrl[1] != '\0';
			snprintf(out, size, "%s", path);
		}
	}
	return *out ? 0 : -ENOENT;
}

int footprint_cgroup(pid_t pid, uint64_t *bytes, struct err *e)
{
	char proc[64], ours[PATH_MAX], theirs[PATH_MAX], file[PATH_MAX + 64];
	bool v1 = false, v1_ours = false;

	snprintf(proc, sizeof(proc), "/proc/%d/cgroup", pid);
	if (memory_path(proc, theirs, sizeof(theirs), &v1) < 0 ||
	    memory_path("/proc/self/cgroup", ours, sizeof(ours), &v1_ours) < 0)
		return err_set(e, ERR_UNSUPPORTED, "no memory controller counts process %d", pid);
	if (v1 == v1_ours && streq(ours, theirs))
		return err_set(e, ERR_UNSUPPORTED, "process %d has no cgroup of its own", pid);
	for (int i = 0; i < (v1 ? 1 : 2); i++) {
		auto_free char *text = NULL;

		if (v1)
			snprintf(file, sizeof(file),
				 "/sys/fs/cgroup/memory%s/memory.usage_in_bytes", theirs);
		else
			snprintf(file, sizeof(file), "/sys/fs/cgroup%s%s/memory.current",
				 i ? "/unified" : "", theirs);
		if (file_read(AT_FDCWD, file, 64, &text) > 0 &&
		    sscanf(text, "%" SCNu64, bytes) == 1)
			return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, "no memory controller at '%s'", file);
}

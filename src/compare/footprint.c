/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/footprint.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int64_t blocks_of(const char *path)
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
	int64_t n = blocks_of(path);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", path);
	}
	*sum += (uint64_t)n;
	return 0;
}

int footprint_disk(const struct strs *paths, uint64_t *bytes, struct err *e)
{
	uint64_t sum = 0;
	int r = 0;

	for (size_t i = 0; i < paths->n && r == 0; i++)
		r = add(&sum, paths->v[i], e);
	if (r == 0)
		*bytes = sum;
	return r;
}

static bool below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && (*rest == '/' || !*rest);
}

static bool listed(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

int footprint_open_files(pid_t pid, const char *root, const char *except, struct arena *a,
			 struct strs *out, struct err *e)
{
	char dir[64], path[PATH_MAX];
	struct dirent *de;
	struct stat st;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	d = opendir(dir);
	if (!d)
		return err_sys(e, "'%s'", dir);
	while ((de = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, path, sizeof(path) - 1);

		if (n <= 0)
			continue;
		path[n] = '\0';
		if (below(path, root) && !below(path, except) && !listed(out, path) &&
		    stat(path, &st) == 0 && S_ISREG(st.st_mode))
			arena_strs_add(a, out, arena_dup(a, path));
	}
	closedir(d);
	return 0;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "runtime/cgroup_int.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#define DEPTH_MAX 64
#define PIDS_MAX  (4u << 20) /* the kernel's PID_MAX_LIMIT */
#define TEXT_MAX  (64u << 20)

static int add(struct cgroup_pid_list *l, pid_t pid)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 32;
		pid_t *v = realloc(l->v, cap * sizeof(*v));

		if (!v)
			abort();
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = pid;
	return l->n > PIDS_MAX ? -E2BIG : 0;
}

static int read_procs(int dir, struct cgroup_pid_list *l)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(dir, "cgroup.procs", TEXT_MAX, &text);
	int r = 0;

	/* EOPNOTSUPP: a threaded cgroup; its processes stand in the domain above. */
	if (n < 0)
		return n == -EOPNOTSUPP || n == -ENODEV || n == -ENOENT ? 0 : (int)n;
	for (char *p = text, *end; r == 0 && *p; p = end + 1) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		/* 0: in a pid namespace we cannot see. */
		if (pid > 0)
			r = add(l, (pid_t)pid);
		if (!*end)
			break;
	}
	return r;
}

int cgroup_pids_below(int dir, struct cgroup_pid_list *l, int depth)
{
	struct dirent *de;
	int r = read_procs(dir, l), fd;
	DIR *d;

	if (r < 0 || depth > DEPTH_MAX)
		return r;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return 0; /* removed meanwhile */
	}
	while (r == 0 && (de = readdir(d))) {
		auto_fd int sub = -1;

		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		sub = openat(dir, de->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = cgroup_pids_below(sub, l, depth + 1);
	}
	closedir(d);
	return r;
}

int cgroup_pids_place(const struct cgroup *cg)
{
	static const enum cgroup_ctl order[] = {CGROUP_PIDS, CGROUP_FREEZER, CGROUP_MEMORY};

	if (cg->unified >= 0)
		return cg->unified;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (cg->of[order[i]] >= 0)
			return cg->of[order[i]];
	return cg->n ? 0 : -1;
}

ssize_t cgroup_pids(const struct cgroup *cg, pid_t **pids, struct err *e)
{
	struct cgroup_pid_list l = {0};
	int at = cgroup_pids_place(cg);
	int r = at < 0 ? 0 : cgroup_pids_below(cg->place[at].fd, &l, 0);
	size_t n = 0;

	if (r < 0) {
		free(l.v);
		errno = -r;
		return err_sys(e, "cgroup: read %s/%s/cgroup.procs", cg->place[at].mount,
			       cg->place[at].path);
	}
	for (size_t i = 0; i < l.n; i++)
		if (!cg->keeper || l.v[i] != cg->keeper)
			l.v[n++] = l.v[i];
	*pids = l.v;
	return (ssize_t)n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#define LIMIT_NS  (10LL * 1000 * 1000 * 1000)
#define DEPTH_MAX 64

/* Remove dir/name with its sub-cgroups, which a workload may have made (systemd inside). */
static int remove_tree(int dir, const char *name, int depth)
{
	struct dirent *de;
	DIR *d;
	int fd, r = 0;

	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	if (depth > DEPTH_MAX)
		return -ELOOP;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = -errno;
		fd_close(fd);
		return r == -ENOENT ? 0 : r;
	}
	while (r == 0 && (de = readdir(d)))
		if (de->d_type == DT_DIR && de->d_name[0] != '.')
			r = remove_tree(fd, de->d_name, depth + 1);
	closedir(d);
	if (r < 0)
		return r;
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static int remove_place(struct cgroup_place *p)
{
	auto_fd int mount = open(p->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return mount < 0 ? -errno : remove_tree(mount, p->path, 0);
}

/* A dying process leaves its cgroups before its parent can reap it, but after its descriptors are
 * closed and its memory is freed, so this may take a while. */
static void wait_empty(const struct cgroup *cg, int64_t *step_ns)
{
	auto_fd int fd = -1;
	struct timespec t = {.tv_nsec = (long)*step_ns};
	char text[256];

	if (cg->unified >= 0)
		fd = openat(cg->place[cg->unified].fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		ssize_t n = read(fd, text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = '\0';
		/* poll() tells a change after the read, so none is missed. */
		if (strstr(text, "populated 1")) {
			poll(&p, 1, 100);
			return;
		}
	}
	nanosleep(&t, NULL);
	*step_ns = *step_ns < 10 * 1000 * 1000 ? *step_ns * 2 : *step_ns;
}

int cgroup_remove(struct cgroup *cg, struct err *e)
{
	int64_t end = trace_now_ns() + LIMIT_NS, step = 50 * 1000;

	cgroup_systemd_settle(cg);
	/* The v2 place goes last: it is what tells that the others are empty. */
	for (size_t i = cg->n; i-- > 0;) {
		struct cgroup_place *p = &cg->place[i];
		int r;

		while ((r = remove_place(p)) == -EBUSY && trace_now_ns() < end)
			wait_empty(cg, &step);
		if (r == -EBUSY || r == -ENOTEMPTY)
			return err_set(e, ERR_CONFLICT,
				       "cgroup: %s/%s is still in use by processes", p->mount,
				       p->path);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "cgroup: remove %s/%s", p->mount, p->path);
		}
		fd_close(p->fd);
		p->fd = -1;
		cg->n = i;
	}
	cg->unified = -1;
	memset(cg->of, -1, sizeof(cg->of));
	return cg->driver == CGROUP_SYSTEMD ? cgroup_systemd_stop(cg, e) : 0;
}

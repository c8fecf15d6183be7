/* SPDX-License-Identifier: Apache-2.0 */
/* v2: inotify on memory.events, which the kernel marks modified at each event.  v1: an eventfd
 * registered with memory.oom_control; it also fires when the cgroup is removed. */
#include "base/auto.h"
#include "base/err.h"
#include "runtime/cgroup_int.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static int open_v2(int dir, struct err *e)
{
	auto_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	auto_fd int file = openat(dir, "memory.events", O_PATH | O_CLOEXEC);
	char path[PATH_FD_MAX];

	if (fd < 0 || file < 0)
		return err_sys(e, "cgroup: watch memory.events");
	if (inotify_add_watch(fd, path_of_fd(file, path), IN_MODIFY) < 0)
		return err_sys(e, "cgroup: watch memory.events");
	return take_fd(&fd);
}

static int open_v1(int dir, struct err *e)
{
	auto_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	auto_fd int file = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0 || file < 0)
		return err_sys(e, "cgroup: watch memory.oom_control");
	r = cgroup_file_put(dir, "cgroup.event_control", e, "%d %d", fd, file);
	return r < 0 ? r : take_fd(&fd);
}

int cgroup_oom_fd(const struct cgroup *cg, struct err *e)
{
	int i = cg->of[CGROUP_MEMORY];

	if (i < 0)
		return err_set(e, ERR_UNSUPPORTED, "cgroup: no memory controller here");
	return cg->place[i].version == 2 ? open_v2(cg->place[i].fd, e)
					 : open_v1(cg->place[i].fd, e);
}

int cgroup_oom_kills(const struct cgroup *cg, uint64_t *count, struct err *e)
{
	int i = cg->of[CGROUP_MEMORY], r;

	if (i < 0)
		return err_set(e, ERR_UNSUPPORTED, "cgroup: no memory controller here");
	r = cgroup_file_key(cg->place[i].fd,
			    cg->place[i].version == 2 ? "memory.events" : "memory.oom_control",
			    "oom_kill", count);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "cgroup: count of OOM kills");
	}
	return 0;
}

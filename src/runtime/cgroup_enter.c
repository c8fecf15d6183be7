/* SPDX-License-Identifier: Apache-2.0 */
/* Getting in, by oneself. */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/mountinfo.h"
#include "runtime/cgroup_int.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool holds(int dir, pid_t pid)
{
	struct cgroup_pid_list l = {0};
	bool found = false;

	cgroup_pids_below(dir, &l, 0);
	for (size_t i = 0; i < l.n && !found; i++)
		found = l.v[i] == pid;
	free(l.v);
	return found;
}

/* The directory right below dir that holds pid, or -1. */
static int step_to(int dir, pid_t pid)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && found < 0 && (de = readdir(d))) {
		auto_fd int sub = -1;

		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		sub = openat(dir, de->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0 && holds(sub, pid))
			found = take_fd(&sub);
	}
	if (d)
		closedir(d);
	else
		fd_close(fd);
	return found;
}

/* Where its oldest process is, which is its process 1 or one beside it. */
void cgroup_enter_find(struct cgroup *cg)
{
	int dir = cg->unified < 0 ? -1 : cg->place[cg->unified].fd;
	struct cgroup_pid_list l = {0};
	char on[256];
	pid_t oldest = 0;

	if (dir < 0 || cgroup_file_read(dir, "cgroup.subtree_control", on, sizeof(on)) <= 0)
		return;
	cgroup_pids_below(dir, &l, 0);
	for (size_t i = 0; i < l.n; i++)
		oldest = !oldest || l.v[i] < oldest ? l.v[i] : oldest;
	free(l.v);
	while (oldest) {
		int next = step_to(cg->entry >= 0 ? cg->entry : dir, oldest);

		if (next < 0)
			break;
		fd_close(cg->entry);
		cg->entry = next;
	}
}

/* "0" to the file of threads is the one write that takes no global lock and so waits for no grace
 * period (kernel/cgroup/cgroup.c, cgroup_procs_write_start(), since 5.7).  On v2 it is refused
 * unless we are inside already, which is what CLONE_INTO_CGROUP gave. */
static int enter_dir(int dir, int version)
{
	int r = file_put(dir, version == 1 ? "tasks" : "cgroup.threads", "0");

	return version == 1 || r == 0 ? r : file_put(dir, "cgroup.procs", "0");
}

int cgroup_enter(const struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_place *p = &cg->place[i];
		int r = enter_dir(p->version == 2 ? cgroup_dir_fd(cg) : p->fd, p->version);

		if (r < 0) {
			errno = -r;
			return err_sys(e, "cgroup: join %s/%s", p->mount, p->path);
		}
	}
	return 0;
}

int cgroup_enter_sub(const struct cgroup *cg, const char *controllers, const char *sub,
		     struct err *e)
{
	struct arena a = ARENA_INIT;
	const char *clean = "";
	int r = 0, found = 0;

	/* "/" is the instance's own. */
	if (sub[strspn(sub, "/")])
		r = cgroup_path_clean(&a, sub, &clean, e);
	if (r < 0)
		r = err_wrap(e, r, "bad sub cgroup path: %s is not a sub cgroup path", sub);

	for (size_t i = 0; r == 0 && i < cg->n; i++) {
		const struct cgroup_place *p = &cg->place[i];
		auto_fd int dir = -1;

		if (controllers && !streq(controllers, p->controllers) &&
		    !mountinfo_has(p->controllers, controllers))
			continue;
		found++;
		dir =
		    path_open(p->fd, *clean ? clean : ".", O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);
		r = dir < 0 ? dir : enter_dir(dir, p->version);
		/* Callers look for this text. */
		if (r == -ENOENT) {
			r = err_set(e, ERR_NOT_FOUND,
				    "adding pid %d to %s/%s/%s/cgroup.procs: no such file or "
				    "directory",
				    (int)getpid(), p->mount, p->path, sub);
		} else if (r < 0) {
			errno = -r;
			r = err_sys(e, "adding pid %d to %s/%s/%s/cgroup.procs", (int)getpid(),
				    p->mount, p->path, sub);
		}
	}
	arena_free(&a);
	if (r == 0 && !found)
		return err_set(e, ERR_NOT_FOUND, "cgroup: unknown controller '%s'",
			       controllers ? controllers : "");
	return r;
}

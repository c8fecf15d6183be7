/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/nsset.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
	const char *name;
	unsigned int flag;
} kinds[NSSET_MAX] = {
    {"user", CLONE_NEWUSER},	 {"mount", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
    {"network", CLONE_NEWNET},	 {"ipc", CLONE_NEWIPC},	  {"uts", CLONE_NEWUTS},
    {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
};

unsigned int nsset_flag(unsigned int i)
{
	return i < NSSET_MAX ? kinds[i].flag : 0;
}

const char *nsset_name(unsigned int i)
{
	return i < NSSET_MAX ? kinds[i].name : NULL;
}

unsigned int nsset_flag_of(const char *name)
{
	for (unsigned int i = 0; i < NSSET_MAX; i++)
		if (streq(kinds[i].name, name))
			return kinds[i].flag;
	return 0;
}

static unsigned int index_of(unsigned int flag)
{
	unsigned int i = 0;

	while (i < NSSET_MAX && kinds[i].flag != flag)
		i++;
	return i;
}

int nsset_fd(const struct nsset *s, unsigned int flag)
{
	for (unsigned int i = 0; i < NSSET_MAX; i++)
		if (nsset_flag(i) == flag)
			return s->fd[i];
	return -1;
}

void nsset_close(struct nsset *s)
{
	for (int i = 0; i < NSSET_MAX; i++) {
		fd_close(s->fd[i]);
		s->fd[i] = -1;
	}
}

static int add(struct nsset *s, const struct plan_namespace *n, size_t at, struct err *e)
{
	unsigned int flag = n->type ? nsset_flag_of(n->type) : 0;

	if (!flag)
		return err_set(e, ERR_USAGE, "linux.namespaces[%zu].type: unknown namespace '%s'",
			       at, n->type ? n->type : "");
	if ((s->make | s->join) & flag)
		return err_set(e, ERR_USAGE, "linux.namespaces[%zu].type: '%s' is there twice", at,
			       n->type);
	if (!n->path || !*n->path) {
		s->make |= flag;
		return 0;
	}
	if (*n->path != '/')
		return err_set(e, ERR_USAGE, "linux.namespaces[%zu].path: '%s' is not absolute", at,
			       n->path);
	s->fd[index_of(flag)] = open(n->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd[index_of(flag)] < 0)
		return err_sys(e, "linux.namespaces[%zu].path: %s namespace '%s'", at, n->type,
			       n->path);
	/* ENOTTY: any other file. */
	if (ioctl(s->fd[index_of(flag)], NS_GET_NSTYPE) != (int)flag)
		return err_set(e, ERR_USAGE,
			       "linux.namespaces[%zu].path: '%s' is not a %s namespace", at,
			       n->path, n->type);
	s->join |= flag;
	return 0;
}

int nsset_read(const struct plan *p, struct nsset *out, struct err *e)
{
	struct nsset s = NSSET_INIT;

	for (size_t i = 0; p->linux_ && i < p->linux_->namespaces.n; i++) {
		int r = add(&s, &p->linux_->namespaces.v[i], i, e);

		if (r < 0) {
			nsset_close(&s);
			return r;
		}
	}
	*out = s;
	return 0;
}

int nsset_read_kinds(const struct plan *p, unsigned int *flags, struct err *e)
{
	unsigned int f = 0;

	for (size_t i = 0; p->linux_ && i < p->linux_->namespaces.n; i++) {
		const char *type = p->linux_->namespaces.v[i].type;

		if (!type || !nsset_flag_of(type))
			return err_set(e, ERR_USAGE,
				       "linux.namespaces[%zu].type: unknown namespace", i);
		f |= nsset_flag_of(type);
	}
	*flags = f;
	return 0;
}

int nsset_join(const struct nsset *s, unsigned int mask, struct err *e)
{
	unsigned int left = s->join & mask & ~(unsigned int)CLONE_NEWUSER;

	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 1; i < NSSET_MAX; i++) {
			if (!(left & kinds[i].flag))
				continue;
			if (setns(s->fd[i], (int)kinds[i].flag) == 0)
				left &= ~kinds[i].flag;
			else if (pass || errno != EPERM || !(s->join & mask & CLONE_NEWUSER))
				return err_sys(e, "join %s namespace", kinds[i].name);
		}
		if (!pass && s->join & mask & CLONE_NEWUSER && setns(s->fd[0], CLONE_NEWUSER) < 0)
			return err_sys(e, "join user namespace");
	}
	return 0;
}

static void print_maps(struct buf *b, const struct plan_idmaps *m, char sep)
{
	for (size_t i = 0; i < m->n; i++)
		buf_printf(b, "%u %u %u%c", m->v[i].container_id, m->v[i].host_id, m->v[i].size,
			   sep);
}

/* newuidmap(1) and newgidmap(1) are setuid programs that know /etc/subuid. */
static int map_by_helper(pid_t pid, const char *program, const struct plan_idmaps *m, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(32 * 1024);
	int r;

	if (m->n > 340)
		return err_set(e, ERR_LIMIT, "more than 340 id mappings");
	print_maps(&b, m, ' ');
	r = userns_map_by(program, pid, b.p);
	if (r == -ENOENT)
		return err_set(e, ERR_UNSUPPORTED,
			       "these id mappings need %s (package uidmap), which is not installed",
			       program);
	return r < 0 ? err_set(e, ERR_DENIED, "%s refused the mapping '%s'", program, b.p) : 0;
}

static int write_map(int proc_pid, const char *name, const struct plan_idmaps *m)
{
	auto_buf struct buf b = BUF_INIT(64 * 1024);

	print_maps(&b, m, '\n');
	return b.failed ? -EOVERFLOW : file_put(proc_pid, name, b.p);
}

static int map_one(pid_t pid, int proc_pid, const char *name, const char *helper,
		   const struct plan_idmaps *m, uint32_t self, struct err *e)
{
	int r = write_map(proc_pid, name, m);

	if (r != -EPERM || geteuid() == 0) {
		if (r < 0) {
			errno = -r;
			return err_sys(e, "write %s", name);
		}
		return 0;
	}
	/* One own id may be mapped by anybody once setgroups is denied (user_namespaces(7)). */
	if (m->n == 1 && m->v[0].size == 1 && m->v[0].host_id == self) {
		r = file_put(proc_pid, "setgroups", "deny");
		if (r == 0)
			r = write_map(proc_pid, name, m);
		if (r == 0)
			return 0;
	}
	return map_by_helper(pid, helper, m, e);
}

int nsset_map(pid_t pid, const struct plan_idmaps *uids, const struct plan_idmaps *gids,
	      struct err *e)
{
	auto_fd int dir = -1;
	char path[32];
	int r;

	if (!uids->n || !gids->n)
		return err_set(e, ERR_USAGE,
			       "linux: a new user namespace needs uidMappings and "
			       "gidMappings");
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "open '%s'", path);
	r = map_one(pid, dir, "uid_map", "newuidmap", uids, geteuid(), e);
	if (r < 0)
		return r;
	return map_one(pid, dir, "gid_map", "newgidmap", gids, getegid(), e);
}

int nsset_userns(const struct plan_idmaps *uids, const struct plan_idmaps *gids, struct err *e)
{
	char path[32];
	pid_t pid;
	int fd, r;

	/* The process only holds the namespace until its descriptor is open; SIGKILL follows. */
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return err_sys(e, "make a user namespace for an idmapped mount");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	r = nsset_map(pid, uids, gids, e);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = r < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (r == 0 && fd < 0)
		r = err_sys(e, "open '%s'", path);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : fd;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/join.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/plan_build.h"
#include "engine/request.h"
#include "engine/session.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/mountfd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define OTHER	  "container:"
#define CHAIN_MAX 16

const char *join_other(const char *mode)
{
	return mode ? str_after(mode, OTHER) : NULL;
}

static int check_mode(const char *option, const char *mode, const char *const *words, struct err *e)
{
	const char *name = join_other(mode);

	if (!mode || (name && *name))
		return 0;
	for (; *words; words++)
		if (streq(mode, *words))
			return 0;
	return err_set(e, ERR_USAGE, "--%s does not know '%.60s'", option, mode);
}

int join_check(const struct request *q, struct err *e)
{
	static const char *const pid[] = {"", "host", NULL};
	static const char *const ipc[] = {"", "none", "private", "shareable", "host", NULL};
	const char *net = join_other(q->network);
	int r = check_mode("pid", q->pid_mode, pid, e);

	if (r == 0)
		r = check_mode("ipc", q->ipc_mode, ipc, e);
	if (r == 0 && net)
		r = check_mode("network", q->network, pid, e);
	if (r < 0 || q->isolation != PLAN_VM)
		return r;
	if (net)
		return err_set(e, ERR_UNSUPPORTED,
			       "--network %.60s is not possible with --isolation vm: a guest "
			       "kernel has its own interfaces",
			       q->network);
	if (q->pid_mode && *q->pid_mode)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "--pid %.60s is not possible with --isolation vm: a guest kernel has "
		    "its own processes",
		    q->pid_mode);
	if (q->ipc_mode && *q->ipc_mode && !streq(q->ipc_mode, "private") &&
	    !streq(q->ipc_mode, "none"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--ipc %.60s is not possible with --isolation vm: memory is not "
			       "shared between kernels",
			       q->ipc_mode);
	return 0;
}

static int find(struct session *s, const char *option, const char *name, struct arena *a,
		struct lookup *l, struct request *theirs, struct err *e)
{
	int r = lookup_find(s, name, a, l, e);

	if (r == 0)
		r = jbind_parse(&request_table, l->i.request, strlen(l->i.request), theirs, a,
				"request", e);
	if (r == 0 && l->i.isolation == PLAN_VM)
		r = err_set(e, ERR_UNSUPPORTED, "'%s' is a vm: nobody can join its namespaces",
			    name);
	if (r == 0 && streq(option, "ipc") &&
	    !(theirs->ipc_mode && streq(theirs->ipc_mode, "shareable")))
		r = err_set(e, ERR_UNSUPPORTED,
			    "the IPC of '%s' is its own: it would have to be run with --ipc "
			    "shareable",
			    name);
	/* The sysctls that a new network gets would be written to the host's own. */
	if (r == 0 && streq(option, "network") && theirs->network && streq(theirs->network, "host"))
		r = err_set(e, ERR_UNSUPPORTED,
			    "'%s' is on the host's network: --network host is the same", name);
	return r < 0 ? err_wrap(e, r, "--%s", option) : 0;
}

static int fix(struct session *s, const char *option, const char **mode, struct arena *a,
	       struct err *e)
{
	const char *name = join_other(*mode);
	struct request theirs = {0};
	struct lookup l;
	int r = name ? find(s, option, name, a, &l, &theirs, e) : 0;

	if (name && r == 0)
		*mode = arena_printf(a, OTHER "%s", l.i.id);
	return r;
}

int join_fix(struct session *s, struct request *q, struct arena *a, struct err *e)
{
	int r = fix(s, "pid", &q->pid_mode, a, e);

	if (r == 0)
		r = fix(s, "ipc", &q->ipc_mode, a, e);
	return r < 0 ? r : fix(s, "network", &q->network, a, e);
}

/* The one to join, as one option names it. */
struct donor {
	struct lookup l;
	struct request q;
};

/* A pidfd of process 1 of a running instance. */
static int running(struct session *s, const char *option, const char *name, struct arena *a,
		   struct donor *d, struct err *e)
{
	int fd, r;

	*d = (struct donor){0};
	r = find(s, option, name, a, &d->l, &d->q, e);
	if (r < 0)
		return r;
	fd = d->l.state.pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)d->l.state.pid, 0) : -1;
	if (fd < 0)
		return err_set(e, ERR_CONFLICT, "--%s: instance '%s' is not running", option,
			       d->l.i.name);
	return fd;
}

/* A namespace of the process behind a pidfd; the pid is still its own when it has not ended after
 * the file was opened. */
static int open_ns(int pidfd, int64_t pid, const char *ns, struct err *e)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	char path[64];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%lld/ns/%s", (long long)pid, ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || poll(&p, 1, 0) != 0)
		return err_set(e, ERR_CONFLICT,
			       "the instance whose %s namespace is to be joined ends", ns);
	return take_fd(&fd);
}

int join_netns(const struct lookup *l, struct err *e)
{
	auto_fd int pidfd =
	    l->state.pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)l->state.pid, 0) : -1;

	return pidfd < 0 ? err_set(e, ERR_CONFLICT, "instance '%s' is not running", l->i.name)
			 : open_ns(pidfd, l->state.pid, "net", e);
}

/* A copy of the mount at /dev/shm of another mount namespace: only there it may be made. */
static int copy_shm(int mnt_ns, struct err *e)
{
	auto_fd int fd = mountfd_clone_there(mnt_ns, "/dev/shm");

	if (fd < 0 || mountfd_magic(fd) != TMPFS_MAGIC)
		return err_set(e, ERR_CONFLICT, "the other instance has no /dev/shm");
	return take_fd(&fd);
}

static const char *path_of(int fd, struct arena *a)
{
	return fd < 0 ? NULL : arena_printf(a, "/proc/self/fd/%d", fd);
}

static int open_ipc(struct session *s, const char *name, struct arena *a, struct join *out,
		    struct err *e)
{
	struct donor d;
	auto_fd int pidfd = running(s, "ipc", name, a, &d, e), mnt = -1;

	if (pidfd < 0)
		return pidfd;
	out->ipc_ns = open_ns(pidfd, d.l.state.pid, "ipc", e);
	if (out->ipc_ns < 0)
		return out->ipc_ns;
	mnt = open_ns(pidfd, d.l.state.pid, "mnt", e);
	if (mnt < 0)
		return mnt;
	out->shm = copy_shm(mnt, e);
	return out->shm < 0 ? out->shm : 0;
}

/* kind: as in /proc/PID/ns. */
static int open_one(struct session *s, const char *option, const char *kind, const char *name,
		    struct arena *a, struct donor *d, struct err *e)
{
	auto_fd int pidfd = running(s, option, name, a, d, e);

	return pidfd < 0 ? pidfd : open_ns(pidfd, d->l.state.pid, kind, e);
}

static int open_net(struct session *s, const char *name, struct arena *a, struct join *out,
		    struct err *e)
{
	struct donor d;
	int r = 0;

	out->net_ns = open_one(s, "network", "net", name, a, &d, e);
	if (out->net_ns < 0)
		return out->net_ns;
	/* The files in /etc are those of whom the namespace was made for: who joins one that has
	 * joined looks there. */
	for (int i = 0; r == 0 && join_other(d.q.network); i++) {
		name = join_other(d.q.network);
		d = (struct donor){0};
		r = i < CHAIN_MAX ? find(s, "network", name, a, &d.l, &d.q, e)
				  : err_set(e, ERR_LIMIT,
					    "--network: more than %d instances join "
					    "one another",
					    CHAIN_MAX);
	}
	if (r < 0)
		return r;
	out->etc_dir = arena_printf(a, "%s/instances/%s", s->root, d.l.i.id);
	out->address = d.l.state.address;
	out->hostname = plan_build_hostname(&d.q, d.l.i.id, a);
	return 0;
}

int join_open(struct session *s, const struct request *q, struct arena *a, struct join *out,
	      struct plan_input *in, struct err *e)
{
	const char *pid = join_other(q->pid_mode), *ipc = join_other(q->ipc_mode),
		   *net = join_other(q->network), *uts = join_other(q->uts_mode);
	struct donor d;
	int r = 0;

	if (pid)
		r = out->pid_ns = open_one(s, "pid", "pid", pid, a, &d, e);
	if (r >= 0 && uts) {
		r = out->uts_ns = open_one(s, "uts", "uts", uts, a, &d, e);
		out->hostname = r < 0 ? NULL : plan_build_hostname(&d.q, d.l.i.id, a);
	}
	if (r >= 0 && ipc)
		r = open_ipc(s, ipc, a, out, e);
	if (r >= 0 && net)
		r = open_net(s, net, a, out, e);
	if (r < 0)
		return r;
	in->pid_ns = path_of(out->pid_ns, a);
	in->ipc_ns = path_of(out->ipc_ns, a);
	in->uts_ns = path_of(out->uts_ns, a);
	in->shm = path_of(out->shm, a);
	in->hostname = out->hostname;
	if (net) {
		in->net_ns = path_of(out->net_ns, a);
		in->etc_dir = out->etc_dir;
	}
	return 0;
}

void join_close(struct join *j)
{
	fd_close(j->pid_ns);
	fd_close(j->ipc_ns);
	fd_close(j->shm);
	fd_close(j->net_ns);
	fd_close(j->uts_ns);
	*j = JOIN_INIT;
}
